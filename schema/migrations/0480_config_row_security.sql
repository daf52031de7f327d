-- The second wall: readers see the rows of the tenant that their transaction names, and no others.
do $$
declare
    name text;
begin
    foreach name in array array['tenants', 'actors', 'api_keys', 'sessions', 'blueprints', 'automations', 'templates',
                                'provider_credentials', 'webhook_events', 'legacy_objects']
    loop
        execute format('alter table %I enable row level security', name);
        execute format('create policy tenant_reads on %I for select to luci_gateway, luci_auditor '
                       'using (tenant_id = current_setting(''app.tenant_id'', true))', name);
        execute format('create policy engine_all on %I to luci_engine using (true) with check (true)', name);
        execute format('grant select, insert, update, delete on %I to luci_engine', name);
    end loop;
    -- Secrets, even hashed or sealed ones, are for the engine alone.
    foreach name in array array['tenants', 'actors', 'blueprints', 'automations', 'templates', 'webhook_events',
                                'legacy_objects']
    loop
        execute format('grant select on %I to luci_gateway, luci_auditor', name);
    end loop;
    grant select (tenant_id, id, actor_id, name, prefix, role, scopes, created_at, expires_at, revoked_at, last_used_at)
        on api_keys to luci_gateway, luci_auditor;
    grant select on provider_prices to luci_engine, luci_gateway, luci_auditor;
    grant insert, update on provider_prices to luci_engine;
end $$;
