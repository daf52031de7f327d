-- Which version of a blueprint a new run takes, and whether it is put away. The versions themselves are never changed.
create table blueprint_states (
    tenant_id       text collate "C" not null references tenants (id),
    id              text collate "C" not null,
    active_version  integer not null check (active_version >= 1),
    archived_at     timestamptz,
    primary key (tenant_id, id)
);
insert into blueprint_states (tenant_id, id, active_version)
    select tenant_id, id, max(version) from blueprints group by tenant_id, id;

alter table blueprint_states enable row level security;
create policy tenant_reads on blueprint_states for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on blueprint_states to luci_engine using (true) with check (true);
grant select, insert, update, delete on blueprint_states to luci_engine;
grant select on blueprint_states to luci_gateway, luci_auditor;
