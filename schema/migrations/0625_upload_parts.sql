-- An upload in parts: the client puts each part to a staging key of its own, and completing the upload joins them.
alter table imports
    -- Size of each part but the last, in bytes. Null: the file is put in one request.
    add column part_bytes bigint check (part_bytes between 5242880 and 67108864),
    -- SHA-256 of the part that counts under each number, lower hex; null where no URL was asked for. The last URL counts, so a
    -- part that is sent again replaces the earlier one. That it has arrived, only the store knows.
    add column part_checksums text[];

-- What a client looks for when it continues.
create index imports_open_uploads on imports (tenant_id, id) where part_bytes is not null and status = 'pending';

insert into personal_data (table_name, column_name, treatment) values ('imports', 'part_checksums', 'none');
