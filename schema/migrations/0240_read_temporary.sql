-- Empty temporary tables like the read tables, for a fresh fold beside them.
create function read_temporary() returns void language plpgsql as $$
declare
    t record;
begin
    for t in select * from (values ('pipeline_runs', 'run_id'), ('block_executions', 'block_id'), ('artifacts', 'artifact_id'),
                                   ('run_metrics', 'run_id'), ('run_counters', 'tenant_id, status')) as tables (name, key) loop
        execute format('create temporary table %1$I (like %2$I.%1$I including generated)', t.name, public.read_serving());
        execute format('alter table pg_temp.%I add primary key (%s)', t.name, t.key);
    end loop;
end
$$;
