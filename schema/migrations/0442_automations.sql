-- The whole definition as its events hold it: trigger, conditions, what its runs read and may spend. The columns beside it
-- (trigger, blueprint, cron, zone, policies) repeat what is asked for by them.
alter table automations add column spec json;
-- Removed ones stay as a row, so that runs which name them can be told of.
alter table automations add column removed_at timestamptz;

-- What the clock knows of each automation, folded from the log: droppable together with `admissions` and `timers`.
create table automation_watch (
    tenant_id      text collate "C" not null,
    automation_id  text collate "C" primary key,
    state          json not null
);
alter table automation_watch enable row level security;
create policy tenant_reads on automation_watch for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_works on automation_watch to luci_engine using (true) with check (true);
grant select, insert, update, delete on automation_watch to luci_engine;
grant select on automation_watch to luci_gateway, luci_auditor;
