-- Requests to erase a person. The person is sealed with the tenant's data key, and only until the erasure is complete.
create table erasures (
    tenant_id          text collate "C" not null references tenants (id),
    id                 text collate "C" not null,
    status             text not null default 'pending' check (status in ('pending', 'completed')),
    -- How the person was named: `leadId`, `phone` or `email`.
    named_by           text not null check (named_by in ('leadId', 'phone', 'email')),
    person_sealed      bytea,
    person_key_version integer,
    requested_by       text not null,
    requested_at       timestamptz not null default now(),
    -- Runs whose blocks must end first.
    waiting_for        text[] not null default '{}',
    -- Objects rewritten and rows removed so far.
    objects            bigint not null default 0 check (objects >= 0),
    rows               bigint not null default 0 check (rows >= 0),
    completed_at       timestamptz,
    -- Why the last try did not get to the end; without personal data.
    error              text,
    primary key (tenant_id, id),
    check ((status = 'completed') = (completed_at is not null)),
    check (status = 'pending' or person_sealed is null)
);
create index erasures_pending on erasures (requested_at) where status = 'pending';

alter table erasures enable row level security;
create policy tenant_reads on erasures for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on erasures to luci_engine using (true) with check (true);
grant select, insert, update on erasures to luci_engine;
grant select (tenant_id, id, status, named_by, requested_by, requested_at, waiting_for, objects, rows, completed_at, error)
    on erasures to luci_gateway, luci_auditor;

-- An erased person is suppressed for ever by `hmac:` and the HMAC of number or address, under a key from the master key.
alter table suppressions drop constraint suppressions_reason_check;
alter table suppressions add constraint suppressions_reason_check check (reason in
    ('OPT_OUT', 'LEGAL_DNC', 'LITIGATOR', 'BLACKLIST', 'WRONG_NUMBER', 'INVALID_PHONE', 'COMPLIANCE_HOLD', 'ERASED'));
alter table suppressions add constraint suppressions_erased_are_hashed check (
    (reason = 'ERASED') = (value like 'hmac:%') and (reason <> 'ERASED' or expires_at is null));
