-- How long the objects of a domain are kept. A domain without a row is kept for ever: retention is off by default.
create table retention_rules (
    tenant_id  text collate "C" not null references tenants (id),
    domain     text not null check (domain in ('artifacts', 'imports', 'webhooks', 'recordings', 'reports', 'sectors')),
    days       integer not null check (days between 1 and 36500),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, domain)
);

alter table retention_rules enable row level security;
create policy tenant_reads on retention_rules for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on retention_rules to luci_engine using (true) with check (true);
grant select, insert, update, delete on retention_rules to luci_engine;
grant select on retention_rules to luci_gateway, luci_auditor;
