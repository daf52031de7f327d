-- Queues that were uploaded to a provider and not read to their end: the next attempt reads the same queue, since an upload is
-- paid for.
create table trace_queues (
    tenant_id      text collate "C" not null,
    lead_id        text collate "C" not null,
    root_run_id    text collate "C" not null,
    -- SHA-256 (lower hex) of what was asked, as of the stored answers.
    request_digest text collate "C" not null,
    -- The provider's number of the queue.
    queue          bigint not null,
    created_at     timestamptz not null default now(),
    primary key (lead_id, root_run_id, tenant_id, request_digest)
);

alter table trace_queues enable row level security;
create policy tenant_reads on trace_queues for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on trace_queues to luci_engine using (true) with check (true);
grant select, insert, update, delete on trace_queues to luci_engine;
grant select on trace_queues to luci_gateway, luci_auditor;
