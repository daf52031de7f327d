-- Size and SHA-256 of the lists that ASSIGN keeps in the store. Each block of a run rewrites its list, so the digest is here
-- and not in an event.
create table sector_lists (
    tenant_id   text collate "C" not null,
    object_path text collate "C" not null,
    size_bytes  bigint not null check (size_bytes >= 0),
    checksum    text collate "C" not null,
    primary key (tenant_id, object_path)
);

alter table sector_lists enable row level security;
create policy tenant_reads on sector_lists for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on sector_lists to luci_engine using (true) with check (true);
grant select, insert, update on sector_lists to luci_engine;
grant select on sector_lists to luci_gateway, luci_auditor;

insert into personal_data (table_name, column_name, treatment)
select 'sector_lists', unnest(array['checksum', 'object_path', 'tenant_id']), 'none';
