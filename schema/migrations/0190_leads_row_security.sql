-- The second wall: a reader sees the rows of the tenant named by `app.tenant_id` and no other; the engine, which acts
-- for every tenant and always names one, sees all.
do $$
declare
    t text;
begin
    foreach t in array array['sectors', 'leads', 'lead_keys', 'contacts', 'imports', 'suppressions', 'sms_queue',
                             'dialer_queue', 'attempt_logs', 'provider_results'] loop
        execute format('alter table %I enable row level security', t);
        execute format('create policy tenant_reads on %I for select to luci_gateway, luci_auditor
                        using (tenant_id = current_setting(''app.tenant_id'', true))', t);
        execute format('create policy engine_works on %I to luci_engine using (true) with check (true)', t);
        execute format('grant select, insert, update, delete on %I to luci_engine', t);
        execute format('grant select on %I to luci_gateway, luci_auditor', t);
    end loop;
end
$$;
