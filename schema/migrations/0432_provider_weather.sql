-- How outside providers behave, as all processes together see it: for people who look, not for deciding.
-- Calls of the last hour, a tenant's own.
create table provider_minutes (
    tenant_id     text collate "C" not null,
    provider      text collate "C" not null,
    minute        timestamptz not null,
    calls         integer not null,
    -- Calls without an answer for another reason than a limit.
    errors        integer not null,
    -- Calls that the provider refused because there were too many.
    limited       integer not null,
    primary key (tenant_id, provider, minute)
) with (fillfactor = 50);

-- Until when an account (`installation`, or a tenant's own credential) is out of use; the past is fair weather.
create table provider_weather (
    provider      text collate "C" not null,
    account       text collate "C" not null,
    broken_until  timestamptz not null default '-infinity',
    limited_until timestamptz not null default '-infinity',
    updated_at    timestamptz not null default now(),
    primary key (provider, account)
);

alter table provider_minutes enable row level security;
create policy engine_all on provider_minutes to luci_engine using (true) with check (true);
grant select, insert, update, delete on provider_minutes to luci_engine;
alter table provider_weather enable row level security;
create policy engine_all on provider_weather to luci_engine using (true) with check (true);
grant select, insert, update, delete on provider_weather to luci_engine;
