-- Who may do what with the log. Nobody may update, delete or truncate events. The roles belong to the cluster and are
-- made by `luci migrate` before this runs.
alter table log.events   enable row level security;
alter table log.events   force  row level security;
alter table log.streams  enable row level security;
alter table log.streams  force  row level security;
alter table log.receipts enable row level security;
alter table log.receipts force  row level security;

create policy all_tenants on log.events   to luci_engine using (true) with check (true);
create policy all_tenants on log.streams  to luci_engine using (true) with check (true);
create policy all_tenants on log.receipts to luci_engine using (true) with check (true);
create policy all_read    on log.events   for select to luci_projector using (true);
create policy all_read    on log.streams  for select to luci_projector using (true);
create policy own_tenant  on log.events   for select to luci_gateway, luci_auditor using (tenant_id = current_setting('app.tenant_id', true));
create policy own_tenant  on log.streams  for select to luci_gateway, luci_auditor using (tenant_id = current_setting('app.tenant_id', true));
create policy own_tenant  on log.receipts for select to luci_auditor using (tenant_id = current_setting('app.tenant_id', true));

grant usage on schema log to luci_engine, luci_projector, luci_gateway, luci_auditor;
grant select, insert         on log.events    to luci_engine;
grant select, insert, update on log.streams   to luci_engine;
grant select, update         on log.head      to luci_engine;
grant select, insert, delete on log.receipts  to luci_engine;
grant select, insert, update, delete on log.followers to luci_engine, luci_projector;
grant execute on function log.ensure_partitions() to luci_engine;
grant select on log.events, log.streams, log.head to luci_projector, luci_gateway, luci_auditor;
grant select on log.followers to luci_gateway, luci_auditor;
grant select on log.receipts  to luci_auditor;
