-- When and how much a tenant sends. A tenant without a row has the defaults.
create table send_settings (
    tenant_id     text collate "C" primary key references tenants (id),
    -- Local time of the recipient; never outside 08:00 to 21:00, which the law draws and the sender keeps in any case.
    window_from   time not null default '09:00',
    window_to     time not null default '17:00',
    -- ISO days of the week, 1 is Monday.
    days          smallint[] not null default '{1,2,3,4,5}',
    daily_limit   integer not null default 2000 check (daily_limit >= 0),
    hourly_limit  integer not null default 500 check (hourly_limit >= 0),
    -- Between two messages.
    pause_ms      integer not null default 100 check (pause_ms between 0 and 60000),
    -- Where Twilio asks what to say in a call; without it calls are left to people.
    voice_url     text,
    updated_at    timestamptz not null default now(),
    check (window_from < window_to),
    check (days <@ '{1,2,3,4,5,6,7}'::smallint[])
);

-- Numbers that messages and calls come from. A number is one tenant's: what arrives at it is that tenant's.
create table sender_numbers (
    tenant_id     text collate "C" not null references tenants (id),
    -- E.164
    number        text collate "C" not null unique,
    provider      text collate "C" not null check (provider in ('signalhouse', 'twilio')),
    -- Five failures in a row disable it; a success in between begins the count again.
    failures      integer not null default 0,
    disabled_at   timestamptz,
    -- The one used longest ago is next.
    last_used_at  timestamptz,
    created_at    timestamptz not null default now(),
    primary key (tenant_id, number)
);
