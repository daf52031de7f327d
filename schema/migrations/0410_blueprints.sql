-- What a run goes through: an ordered list of {name, stage, config}. A version is never changed; a run pins one.
create table blueprints (
    tenant_id     text collate "C" not null references tenants (id),
    id            text collate "C" not null,
    version       integer not null check (version >= 1),
    name          text not null check (length(name) between 1 and 200),
    stages        json not null,
    -- Made with the tenant (`luci_full`) and changed by no caller.
    system        boolean not null default false,
    created_by    text collate "C" not null,
    created_at    timestamptz not null default now(),
    archived_at   timestamptz,
    primary key (tenant_id, id, version)
);
create index blueprints_by_name on blueprints (tenant_id, name, version desc);
