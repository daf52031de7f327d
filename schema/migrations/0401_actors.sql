-- Who acts for a tenant: people, systems. An event's actor is `actor:ID`.
create table actors (
    tenant_id     text collate "C" not null references tenants (id),
    id            text collate "C" not null,
    kind          text not null check (kind in ('person', 'system')),
    -- A label the tenant chose ("nightly import"); shown, never put into an event.
    name          text not null check (length(name) between 1 and 200),
    role          text not null check (role in ('viewer', 'auditor', 'member', 'admin', 'owner')),
    created_at    timestamptz not null default now(),
    disabled_at   timestamptz,
    primary key (tenant_id, id)
);
