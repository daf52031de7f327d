-- The second wall for what a tenant sends with: readers see the rows of the tenant that their transaction names.
do $$
declare
    name text;
begin
    foreach name in array array['send_settings', 'sender_numbers', 'webhook_tokens']
    loop
        execute format('alter table %I enable row level security', name);
        execute format('create policy tenant_reads on %I for select to luci_gateway, luci_auditor '
                       'using (tenant_id = current_setting(''app.tenant_id'', true))', name);
        execute format('create policy engine_all on %I to luci_engine using (true) with check (true)', name);
        execute format('grant select, insert, update, delete on %I to luci_engine', name);
    end loop;
    grant select on send_settings, sender_numbers to luci_gateway, luci_auditor;
    -- Hashed and sealed secrets are for the engine alone.
    grant select (tenant_id, id, source, purpose, created_by, created_at, expires_at, revoked_at)
        on webhook_tokens to luci_gateway, luci_auditor;
end $$;
