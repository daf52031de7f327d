-- Files that clients of the older platform uploaded to a bucket (`POST /api/buckets/sectors/upload`): what the status of the
-- bucket shows of each besides its import.
create table legacy_uploads (
    tenant_id    text collate "C" not null references tenants (id),
    -- `upload-{milliseconds}-{9 characters}`, as the older platform named them.
    upload_id    text collate "C" not null,
    import_id    text collate "C" not null,
    -- The bucket.
    sector_id    text collate "C" not null,
    file_name    text not null,
    description  text,
    -- Counts of the file; no cells.
    stats        json not null,
    uploaded_by  text not null,
    uploaded_at  timestamptz not null default now(),
    primary key (tenant_id, upload_id)
);
create index legacy_uploads_of_sector on legacy_uploads (tenant_id, sector_id, uploaded_at);

alter table legacy_uploads enable row level security;
create policy tenant_reads on legacy_uploads for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on legacy_uploads to luci_engine using (true) with check (true);
grant select, insert on legacy_uploads to luci_engine;
grant select on legacy_uploads to luci_gateway, luci_auditor;

insert into personal_data (table_name, column_name, treatment)
select 'legacy_uploads', unnest(array['description', 'file_name', 'import_id', 'sector_id', 'stats', 'tenant_id', 'upload_id',
    'uploaded_by']), 'none';
