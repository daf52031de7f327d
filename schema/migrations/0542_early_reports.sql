-- Reports of sends whose provider id is not known yet: a carrier may report before its answer to the send is stored. They are
-- applied when the answer is stored; what nobody asks for within a week is of somebody else's sends.
create table early_reports (
    tenant_id       text collate "C" not null references tenants (id),
    channel         text not null check (channel in ('sms', 'call')),
    provider_id     text collate "C" not null,
    -- The provider's own word; each report of a send is kept once.
    provider_status text not null,
    -- As `attempt_logs.status` and `dialer_queue.status` name it.
    status          text not null,
    error           text,
    received_at     timestamptz not null default now(),
    primary key (tenant_id, channel, provider_id, provider_status)
);
create index early_reports_by_age on early_reports (tenant_id, received_at);

alter table early_reports enable row level security;
create policy tenant_reads on early_reports for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on early_reports to luci_engine using (true) with check (true);
grant select, insert, update, delete on early_reports to luci_engine;
grant select on early_reports to luci_gateway, luci_auditor;
