-- Who follows the log, how far it is, and who holds its lease. A lease is told by its epoch: whoever took over raised it,
-- and the one before can no longer move the position. Times are this server's clock.
create table log.followers (
  name        text collate "C" primary key,
  position    bigint not null default 0 check (position >= 0),
  epoch       bigint not null default 0,
  owner       text,
  lease_until timestamptz not null default '-infinity',
  last_error  text,                               -- why it stands still, readable when its process is gone
  updated_at  timestamptz not null default now()
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
