-- The second wall, as for every table of tenants' data; only the engine writes here.
do $$
declare
    t text;
begin
    foreach t in array array['admissions', 'admission_limits', 'timers'] loop
        execute format('alter table %I enable row level security', t);
        execute format('create policy tenant_reads on %I for select to luci_gateway, luci_auditor
                        using (tenant_id = current_setting(''app.tenant_id'', true))', t);
        execute format('create policy engine_works on %I to luci_engine using (true) with check (true)', t);
        execute format('grant select, insert, update, delete on %I to luci_engine', t);
        execute format('grant select on %I to luci_gateway, luci_auditor', t);
    end loop;
end
$$;
