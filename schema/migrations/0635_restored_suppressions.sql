-- A restore brings people's suppressions in as hashes, with the reason that they had. Of erased people only a hash may be stored.
alter table suppressions drop constraint suppressions_erased_are_hashed;
alter table suppressions add constraint suppressions_erased_are_hashed check (
    reason <> 'ERASED' or (value like 'hmac:%' and expires_at is null));
