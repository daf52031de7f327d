-- The events. Text in data and metadata is RFC 8785, kept as json (never jsonb): the bytes that were hashed are the
-- bytes stored.
create table log.events (
  position       bigint      not null,            -- dense over the whole log, in commit order
  version        bigint      not null,            -- dense in the stream, from 1
  recorded_at    timestamptz not null,            -- the appending process's clock, never less than the event before
  schema_version smallint    not null,
  event_id       text collate "C" not null,
  event_type     text collate "C" not null,       -- block:completed
  tenant_id      text collate "C" not null,
  stream_id      text collate "C" not null,
  actor          text collate "C" not null,
  command_id     text collate "C" not null,
  correlation_id text collate "C" not null,
  causation_id   text collate "C",
  data           json        not null,
  metadata       json        not null,
  previous_hash  bytea       not null,
  hash           bytea       not null,
  primary key (position)
) partition by range (position);

-- lz4 is a choice of whoever built the server; without it the default compression does.
do $$ begin
  alter table log.events alter column data set compression lz4;
exception when feature_not_supported then null;
end $$;

create function log.immutable() returns trigger language plpgsql as $$
begin
  raise exception 'log.% is append-only', tg_table_name using errcode = 'restrict_violation';
end $$;

-- ENABLE ALWAYS: also for the owner, and in sessions that replicate.
create trigger events_immutable before update or delete on log.events for each row execute function log.immutable();
alter table log.events enable always trigger events_immutable;
create trigger events_no_truncate before truncate on log.events for each statement execute function log.immutable();
alter table log.events enable always trigger events_no_truncate;

create function log.partition_size() returns bigint language sql immutable as $$ select 10000000::bigint $$;

-- Makes partition n when it is missing. It is attached rather than created in place: attaching does not stop readers
-- and writers. Truncate triggers are not inherited, so each partition gets its own.
create function log.make_partition(n bigint) returns void language plpgsql set search_path = pg_catalog, pg_temp as $$
declare
  size  constant bigint := log.partition_size();
  name  constant text := 'events_p' || lpad(n::text, 6, '0');
begin
  if to_regclass('log.' || name) is not null then return; end if;
  execute format('create table log.%I (like log.events including all) with (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_freeze_min_age = 0)', name);
  execute format('create unique index %I on log.%I (stream_id, version)', name || '_stream', name);
  execute format('create index %I on log.%I using brin (recorded_at) with (pages_per_range = 32, autosummarize = on)', name || '_time', name);
  execute format('alter table log.%I enable row level security', name);
  execute format('alter table log.%I force row level security', name);
  execute format('create trigger events_no_truncate before truncate on log.%I for each statement execute function log.immutable()', name);
  execute format('alter table log.%I enable always trigger events_no_truncate', name);
  execute format('alter table log.events attach partition log.%I for values from (%s) to (%s)', name, n * size, (n + 1) * size);
  execute format('alter table log.%I enable always trigger events_immutable', name);
end $$;

-- Makes the partition of the head and the one after it; answers the first position that has no partition yet.
-- Runs as its owner, since the roles that append may not create tables.
create function log.ensure_partitions() returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
  size  constant bigint := log.partition_size();
  first constant bigint := (select position / size from log.head where id = 0);
begin
  perform pg_advisory_xact_lock(hashtextextended('log.ensure_partitions', 0));
  perform log.make_partition(first);
  perform log.make_partition(first + 1);
  return (first + 2) * size;
end $$;
revoke all on function log.ensure_partitions() from public;
revoke all on function log.make_partition(bigint) from public;

select log.ensure_partitions();
