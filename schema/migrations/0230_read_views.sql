-- Points the views at a version. The views belong to the migrating role, as public does; so the projector swaps through
-- this function. security_invoker: the tables' row security is that of the reader, not of the views' owner.
create function read_serve(v text) returns void language plpgsql security definer set search_path = pg_catalog as $$
declare
    t text;
begin
    if v not in ('read_a', 'read_b') then
        raise exception 'no read version is called %', v;
    end if;
    foreach t in array array['pipeline_runs', 'block_executions', 'artifacts', 'run_metrics', 'run_counters'] loop
        execute format('create or replace view public.%1$I with (security_invoker = true) as select * from %2$I.%1$I', t, v);
    end loop;
    update public.read_versions set serving = false where version <> v;
    update public.read_versions set serving = true where version = v;
end
$$;
revoke execute on function read_serve(text) from public;
grant execute on function read_serve(text) to luci_projector;
select read_serve('read_a');
grant select on pipeline_runs, block_executions, artifacts, run_metrics, run_counters
    to luci_gateway, luci_auditor, luci_engine, luci_projector;
