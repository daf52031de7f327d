-- The countries whose numbers a tenant contacts. A tenant without a row contacts the United States and Canada.
create table send_countries (
    tenant_id  text collate "C" primary key references tenants (id),
    -- ISO 3166-1, two letters.
    countries  text[] not null,
    updated_at timestamptz not null default now()
);

alter table send_countries enable row level security;
create policy tenant_reads on send_countries for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on send_countries to luci_engine using (true) with check (true);
grant select, insert, update, delete on send_countries to luci_engine;
grant select on send_countries to luci_gateway, luci_auditor;
