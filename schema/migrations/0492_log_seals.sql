-- What the log was, signed: each seal covers the positions behind the one before, by the root of a Merkle tree over their
-- hashes. Copies are in the object store, so that a log that was cut together with its seals does not match them.
create table log.seals (
  seal_id       bigint      primary key check (seal_id > 0),
  from_position bigint      not null,
  to_position   bigint      not null unique,
  root          bytea       not null,
  previous_hash bytea       not null,
  seal_hash     bytea       not null,
  public_key    bytea       not null,
  signature     bytea       not null,
  sealed_at     timestamptz not null,
  check (from_position <= to_position)
);

create trigger seals_immutable before update or delete on log.seals for each row execute function log.immutable();
alter table log.seals enable always trigger seals_immutable;
create trigger seals_no_truncate before truncate on log.seals for each statement execute function log.immutable();
alter table log.seals enable always trigger seals_no_truncate;

grant select, insert on log.seals to luci_engine;
grant select on log.seals to luci_gateway, luci_auditor;
