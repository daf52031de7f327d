-- A fingerprint of the master key, so that a process with another key is refused at start instead of failing at each secret.
-- The version check at start reads the applied migrations with the rights of the processes.
create table log.installation_keys (
  name        text        primary key,
  fingerprint text        not null,
  seen_at     timestamptz not null default now()
);

grant select, insert on log.installation_keys to luci_engine;
grant select on _sqlx_migrations to luci_engine;
