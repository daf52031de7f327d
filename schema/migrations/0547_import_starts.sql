-- The newest run that was started on a file: the same file is not started twice by mistake. The row is written before the run is
-- queued; where no such run came to be, the next start takes it over.
create table import_starts (
    tenant_id   text collate "C" not null references tenants (id),
    -- SHA-256 of the file, or the import's id where it has none.
    file        text collate "C" not null,
    run_id      text collate "C" not null,
    -- The command that starts the run: the same request, sent again, is no second start.
    command     text collate "C" not null,
    started_at  timestamptz not null default now(),
    primary key (tenant_id, file)
);

alter table import_starts enable row level security;
create policy tenant_reads on import_starts for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on import_starts to luci_engine using (true) with check (true);
grant select, insert, update, delete on import_starts to luci_engine;
grant select on import_starts to luci_gateway, luci_auditor;
