-- Objects that older software wrote, and where the copy is once one was made. What is not recorded here is a 404
-- for every tenant but the one that the operator named as the owner of the old bucket.
create table legacy_objects (
    tenant_id     text collate "C" not null references tenants (id),
    legacy_key    text not null,
    object_path   text collate "C",
    checksum      text collate "C",
    size_bytes    bigint check (size_bytes >= 0),
    recorded_at   timestamptz not null default now(),
    copied_at     timestamptz,
    primary key (tenant_id, legacy_key)
);
