-- Where each stream stands: the authority for (stream, version), which the partitioned events cannot be.
create table log.streams (
  stream_id   text collate "C" primary key,     -- the entity's id; never used again
  tenant_id   text collate "C" not null,
  version     bigint not null check (version > 0),
  hash        bytea  not null check (octet_length(hash) = 32),  -- of the stream's last event
  recorded_at timestamptz not null               -- of the stream's last event: the next one is never earlier
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
