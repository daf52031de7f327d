-- One row a trigger of which the log has not told yet what became of it (`automation:fired` or `automation:skipped`). They were
-- a list inside `automation_watch.state`, which was rewritten as a whole at each trigger; a list there is moved here when read.
create table automation_triggers (
    tenant_id      text collate "C" not null,
    automation_id  text collate "C" not null references automation_watch on delete cascade,
    -- As `automation:fired` and `automation:skipped` name it: the id of the event that triggered.
    trigger_key    text collate "C" not null,
    cause          json not null,
    primary key (automation_id, trigger_key)
);
alter table automation_triggers enable row level security;
create policy tenant_reads on automation_triggers for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_works on automation_triggers to luci_engine using (true) with check (true);
grant select, insert, update, delete on automation_triggers to luci_engine;
grant select on automation_triggers to luci_gateway, luci_auditor;
