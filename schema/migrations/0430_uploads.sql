-- Uploads that were announced and have not been completed: what the object must be to be taken as an import.
create table uploads (
    tenant_id     text collate "C" not null references tenants (id),
    import_id     text collate "C" not null,
    file_name     text not null,
    object_path   text collate "C" not null,
    size_bytes    bigint not null check (size_bytes >= 0),
    content_type  text not null,
    -- SHA-256 in lower hex, when the caller announced one.
    checksum      text collate "C",
    created_by    text collate "C" not null,
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    primary key (tenant_id, import_id)
);
create index uploads_expiry on uploads (expires_at);
