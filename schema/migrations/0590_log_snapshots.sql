-- Folded states of long streams, so that a read of their past or a command after a restart need not fold from the first event.
-- A cache: any row may be deleted, and no audit, drift check or rebuild reads it.
create table log.snapshots (
  tenant_id    text collate "C" not null,
  stream_id    text collate "C" not null,
  fold         text collate "C" not null,     -- which state: `run` (commands) or `past_run` (reads)
  fold_version text collate "C" not null,     -- names the fold by its sources: a release whose fold differs ignores the row
  version      bigint      not null check (version > 0),
  hash         bytea       not null,          -- the stream's hash at that version; another history does not use the row
  state        bytea       not null,
  mac          bytea       not null,          -- HMAC-SHA256 over all of it, under a key from the master key: a changed row is not used
  stored_at    timestamptz not null default now(),
  primary key (stream_id, fold, version)
);

alter table log.snapshots enable row level security;
alter table log.snapshots force  row level security;
create policy all_tenants on log.snapshots to luci_engine using (true) with check (true);
grant select, insert, update, delete on log.snapshots to luci_engine;
