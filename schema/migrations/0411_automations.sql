-- What starts a blueprint by itself. Both condition sets must hold.
create table automations (
    tenant_id     text collate "C" not null references tenants (id),
    id            text collate "C" not null,
    name          text not null check (length(name) between 1 and 200),
    trigger       text not null check (trigger in ('lead_created', 'message_received', 'schedule', 'webhook')),
    blueprint_id  text collate "C" not null,
    conditions_all json not null default '[]',
    conditions_any json not null default '[]',
    -- schedule only: cron expression and IANA zone.
    cron          text,
    time_zone     text not null default 'UTC',
    overlap       text not null default 'skip' check (overlap in ('skip', 'queue', 'allow')),
    catch_up      text not null default 'last' check (catch_up in ('none', 'last', 'all')),
    enabled       boolean not null default false,
    version       integer not null default 1,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    primary key (tenant_id, id),
    check (trigger <> 'schedule' or cron is not null)
);
create index automations_by_trigger on automations (tenant_id, trigger) where enabled;
