-- A table of scoring factors, by name and version. A version is published and never changed; a run pins one.
create table scoring_profiles (
    tenant_id text collate "C" not null,
    name text collate "C" not null check (name ~ '^[a-z0-9][a-z0-9_-]{0,62}$'),
    version int not null check (version > 0),
    -- Each `{name, points, on, …}`, in the order in which points are listed.
    factors json not null,
    -- Scores from here on are of high and of medium priority.
    high smallint not null check (high between 0 and 100),
    medium smallint not null check (medium between 0 and high),
    -- The one that new runs pin when their blueprint names none; without any it is `fit` 1, which is part of the software.
    active boolean not null default false,
    created_by text not null,
    created_at timestamptz not null default now(),
    primary key (tenant_id, name, version)
);

create unique index scoring_profiles_active on scoring_profiles (tenant_id) where active;

alter table scoring_profiles enable row level security;
create policy tenant_reads on scoring_profiles for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_works on scoring_profiles to luci_engine using (true) with check (true);
grant select, insert, update, delete on scoring_profiles to luci_engine;
grant select on scoring_profiles to luci_gateway, luci_auditor;
