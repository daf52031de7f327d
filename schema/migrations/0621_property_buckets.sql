-- Buckets of properties (`/api/property/bucket`): each is a sector, with what the older platform kept besides its name and leads.
create table property_buckets (
    tenant_id   text collate "C" not null references tenants (id),
    sector_id   text collate "C" not null,
    description text,
    -- The search that found the properties, as the client sent it.
    filters     json not null,
    signals     json,
    created_by  text not null,
    created_at  timestamptz not null default now(),
    updated_at  timestamptz not null default now(),
    -- The routes no longer show it; its leads stay.
    deleted_at  timestamptz,
    primary key (tenant_id, sector_id)
);

alter table property_buckets enable row level security;
create policy tenant_reads on property_buckets for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on property_buckets to luci_engine using (true) with check (true);
grant select, insert, update on property_buckets to luci_engine;
grant select on property_buckets to luci_gateway, luci_auditor;

insert into personal_data (table_name, column_name, treatment)
select 'property_buckets', unnest(array['created_by', 'description', 'filters', 'sector_id', 'signals', 'tenant_id']), 'none';
