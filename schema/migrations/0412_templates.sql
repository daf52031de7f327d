-- Texts that are sent; the body is an object under `templates/`, the row says which version is current.
create table templates (
    tenant_id     text collate "C" not null references tenants (id),
    id            text collate "C" not null,
    channel       text not null check (channel in ('sms', 'email', 'voicemail')),
    name          text not null check (length(name) between 1 and 200),
    object_path   text collate "C" not null,
    version       integer not null default 1,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    archived_at   timestamptz,
    primary key (tenant_id, id)
);
