-- Recorded objects that are no longer stored as they were recorded: an erasure replaced them, or retention ended them. What the
-- log recorded of them (size, checksum) stays in the log.
create table object_versions (
    tenant_id       text collate "C" not null references tenants (id),
    -- As an event or a row named it.
    object_path     text collate "C" not null,
    erased_at       timestamptz,
    expired_at      timestamptz,
    -- The newest version without the erased people; null: nothing of the object was kept.
    now_path        text collate "C",
    now_size_bytes  bigint check (now_size_bytes >= 0),
    now_checksum    text collate "C",
    primary key (tenant_id, object_path),
    check ((now_path is null) = (now_checksum is null) and (now_path is null) = (now_size_bytes is null)),
    check (erased_at is not null or (expired_at is not null and now_path is null))
);
create index object_versions_by_replacement on object_versions (tenant_id, now_path) where now_path is not null;

alter table object_versions enable row level security;
create policy tenant_reads on object_versions for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on object_versions to luci_engine using (true) with check (true);
grant select, insert, update on object_versions to luci_engine;
grant select on object_versions to luci_gateway, luci_auditor;
