-- Who the data belongs to. `tenant_id` repeats `id` so that one row-security rule fits every table.
create table tenants (
    id            text collate "C" primary key,
    tenant_id     text collate "C" not null generated always as (id) stored unique,
    name          text not null check (length(name) between 1 and 200),
    -- Names the tenant in commands of the operator; words of a-z, 0-9 and '-'.
    slug          text collate "C" not null unique check (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    status        text not null default 'active' check (status in ('active', 'suspended', 'erased')),
    -- Runs of this tenant that may be active at once.
    active_runs   integer not null default 4 check (active_runs between 1 and 1000),
    -- IANA name; daily send limits reset at midnight there.
    time_zone     text not null default 'UTC',
    version       integer not null default 1,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now()
);
