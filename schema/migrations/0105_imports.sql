-- An uploaded file, from the promise of an upload to the counted rows.
create table imports (
    tenant_id text collate "C" not null,
    id text collate "C" not null,
    file_name text not null,
    object_path text not null,
    -- pending: an upload URL was given; completed: size, checksum and rows are verified; rejected: it was refused and deleted.
    status text not null default 'pending' check (status in ('pending', 'completed', 'rejected')),
    content_type text not null default 'text/csv',
    size_bytes bigint check (size_bytes >= 0),
    -- SHA-256 of the object, lower hex.
    checksum text,
    rows bigint check (rows >= 0),
    -- What the count found: columns, their mapping, encoding, malformed rows.
    summary json,
    -- The code and text of the refusal.
    error json,
    created_by text not null,
    created_at timestamptz not null default now(),
    completed_at timestamptz,
    primary key (tenant_id, id)
);
