-- Which object store belongs to this database. The id is in a marker in the store's root too, so that a store that vanished,
-- or another one in its place, is refused instead of being filled from the beginning.
create table log.object_store (
  one         boolean     primary key default true check (one),
  store_id    text        not null default gen_random_uuid()::text,
  -- When the marker was made; null before the first start.
  marked_at   timestamptz,
  -- Whether there were objects before stores had markers.
  had_objects boolean     not null
);

insert into log.object_store (had_objects)
select exists (select from log.seals) or exists (select from imports where status = 'completed');

grant select, update on log.object_store to luci_engine;
