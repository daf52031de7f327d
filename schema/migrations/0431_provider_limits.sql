-- How many people may be asked for at a provider, and how many were: one account of it for all processes and tenants.
-- What a tenant itself wants to spend at most; absent or null is no limit of its own.
create table provider_limits (
    tenant_id     text collate "C" not null references tenants (id),
    provider      text collate "C" not null,
    per_minute    integer check (per_minute > 0),
    per_day       integer check (per_day > 0),
    updated_at    timestamptz not null default now(),
    primary key (tenant_id, provider)
);

-- People granted in the last minute, in slots of five seconds. An account is `installation`, or a tenant's own credential.
create table provider_grants (
    provider      text collate "C" not null,
    account       text collate "C" not null,
    tenant_id     text collate "C" not null,
    -- Five-second slots since 1970.
    slot          bigint not null,
    people        integer not null,
    primary key (provider, account, slot, tenant_id)
) with (fillfactor = 50);

-- People granted on a day of UTC: providers begin anew at its midnight.
create table provider_days (
    provider      text collate "C" not null,
    account       text collate "C" not null,
    tenant_id     text collate "C" not null,
    day           date not null,
    people        integer not null,
    primary key (provider, account, day, tenant_id)
) with (fillfactor = 50);

-- Tenants that were refused and will ask again: the others leave them their share until then.
create table provider_waiting (
    provider      text collate "C" not null,
    account       text collate "C" not null,
    tenant_id     text collate "C" not null,
    until         timestamptz not null,
    primary key (provider, account, tenant_id)
);

do $$
declare
    name text;
begin
    foreach name in array array['provider_limits', 'provider_grants', 'provider_days', 'provider_waiting']
    loop
        execute format('alter table %I enable row level security', name);
        execute format('create policy engine_all on %I to luci_engine using (true) with check (true)', name);
        execute format('grant select, insert, update, delete on %I to luci_engine', name);
    end loop;
end $$;

-- Grants up to `wanted` people, and says how many microseconds to wait for more (0 when all were granted). Whoever asks for
-- one account asks one after another, for as long as this statement takes. Null is no limit.
--
-- Never more than `account_minute` within any 60 seconds. A tenant may use what others leave, but not the share of one
-- that waits: the account's limit over the number of tenants that are asking.
create function provider_take(
    of_provider text, of_account text, of_tenant text, wanted integer,
    account_minute integer, account_day integer, tenant_minute integer, tenant_day integer
) returns table (granted integer, wait_micros bigint) language plpgsql as $$
declare
    -- A slot counts until a minute after its end.
    kept constant bigint := 12;
    moment timestamptz;
    now_slot bigint;
    today date;
    used bigint := 0;
    mine bigint := 0;
    oldest bigint;
    rivals bigint := 0;
    portion bigint;
    owed bigint := 0;
    day_used bigint := 0;
    day_mine bigint := 0;
    by_day bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended(of_provider || ' ' || of_account, 430));
    -- A grant that is lost with a crash was not used either, or for a second.
    perform set_config('synchronous_commit', 'off', true);
    moment := clock_timestamp();
    now_slot := floor(extract(epoch from moment) / 5);
    today := (moment at time zone 'utc')::date;
    granted := wanted;
    wait_micros := 0;

    if account_minute is not null or tenant_minute is not null then
        delete from provider_grants g
         where g.provider = of_provider and g.account = of_account and g.slot < now_slot - kept;
        select coalesce(sum(g.people), 0), coalesce(sum(g.people) filter (where g.tenant_id = of_tenant), 0), min(g.slot)
          into used, mine, oldest
          from provider_grants g where g.provider = of_provider and g.account = of_account;
        if account_minute is not null then
            select count(*) into rivals from provider_waiting w
             where w.provider = of_provider and w.account = of_account and w.tenant_id <> of_tenant and w.until > moment;
            portion := ceil(account_minute::numeric / (rivals + 1));
            if rivals > 0 then
                select coalesce(sum(greatest(0, portion - theirs.people)), 0) into owed
                  from (select coalesce((select sum(g.people) from provider_grants g
                                          where g.provider = of_provider and g.account = of_account
                                            and g.tenant_id = w.tenant_id), 0) as people
                          from provider_waiting w
                         where w.provider = of_provider and w.account = of_account and w.tenant_id <> of_tenant
                           and w.until > moment) as theirs;
            end if;
            granted := least(granted, greatest(0, least(account_minute - used,
                                                        greatest(portion - mine, account_minute - used - owed))));
        end if;
        if tenant_minute is not null then
            granted := least(granted, greatest(0, tenant_minute - mine));
        end if;
        if granted < wanted then
            -- Something is free again when the oldest slot no longer counts; without one, when a rival had its turn.
            wait_micros := greatest(1000000, least(60000000,
                ((coalesce(oldest, now_slot - kept) + kept + 1) * 5 - extract(epoch from moment)) * 1000000))::bigint;
        end if;
    end if;

    if account_day is not null or tenant_day is not null then
        select coalesce(sum(d.people), 0), coalesce(sum(d.people) filter (where d.tenant_id = of_tenant), 0)
          into day_used, day_mine
          from provider_days d where d.provider = of_provider and d.account = of_account and d.day = today;
        by_day := greatest(0, least(coalesce(account_day - day_used, wanted), coalesce(tenant_day - day_mine, wanted)));
        if by_day < granted or by_day = 0 then
            granted := by_day;
            wait_micros := (extract(epoch from ((today + 1)::timestamp at time zone 'utc') - moment) * 1000000)::bigint;
        end if;
    end if;

    if granted > 0 then
        if account_minute is not null or tenant_minute is not null then
            insert into provider_grants values (of_provider, of_account, of_tenant, now_slot, granted)
            on conflict (provider, account, slot, tenant_id)
            do update set people = provider_grants.people + excluded.people;
        end if;
        insert into provider_days values (of_provider, of_account, of_tenant, today, granted)
        on conflict (provider, account, day, tenant_id) do update set people = provider_days.people + excluded.people;
    end if;
    if wait_micros = 0 then
        delete from provider_waiting w
         where w.provider = of_provider and w.account = of_account and w.tenant_id = of_tenant;
    elsif wait_micros <= 60000000 then
        -- It asks again when it was told to, or a little later.
        insert into provider_waiting
        values (of_provider, of_account, of_tenant, moment + make_interval(secs => wait_micros / 1000000.0 + 10))
        on conflict (provider, account, tenant_id) do update set until = excluded.until;
    end if;
    return next;
end $$;
