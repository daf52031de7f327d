-- One index for each question. All columns here are fixed or change a few times in a run's life, never with each block.
create function read_index(v text) returns void language plpgsql as $$
declare
    before text := current_setting('search_path');
begin
    perform set_config('search_path', v, true);
    create index if not exists runs_by_id on pipeline_runs (tenant_id, run_id desc) where deleted_at is null;
    create index if not exists runs_by_created on pipeline_runs (tenant_id, created_at desc, run_id desc) where deleted_at is null;
    create index if not exists runs_by_status on pipeline_runs (tenant_id, status desc, created_at desc, run_id desc) where deleted_at is null;
    create index if not exists runs_by_sector on pipeline_runs (tenant_id, sector_id, created_at desc, run_id desc) where deleted_at is null and sector_id is not null;
    -- Runs that have not started (ended) come first, as the newest.
    create index if not exists runs_by_started on pipeline_runs (tenant_id, started_key desc, run_id desc) where deleted_at is null;
    create index if not exists runs_by_completed on pipeline_runs (tenant_id, completed_key desc, run_id desc) where deleted_at is null;
    create index if not exists runs_by_name on pipeline_runs (tenant_id, name_key desc, run_id desc) where deleted_at is null;
    create index if not exists runs_by_sector_name on pipeline_runs (tenant_id, sector_key desc, run_id desc) where deleted_at is null;
    create index if not exists blocks_by_run on block_executions (run_id, sequence desc);
    create index if not exists artifacts_by_run on artifacts (run_id, artifact_id desc);
    perform set_config('search_path', before, true);
end
$$;

-- Empties a version and drops its secondary indexes: a bulk fold is faster without, and makes them at its end.
create function read_clear(v text) returns void language plpgsql as $$
declare
    i record;
begin
    if v not in ('read_a', 'read_b') or exists (select from public.read_versions where version = v and serving) then
        raise exception 'version % serves and is not cleared', v;
    end if;
    execute format('truncate %1$I.pipeline_runs, %1$I.block_executions, %1$I.artifacts, %1$I.run_metrics, %1$I.run_counters', v);
    for i in select indexrelid::regclass::text as name from pg_index x join pg_class c on c.oid = x.indrelid
             where c.relnamespace = v::regnamespace and not x.indisprimary loop
        execute 'drop index ' || i.name;
    end loop;
    update public.read_versions set position = 0 where version = v;
end
$$;

set local role luci_projector;
select read_index('read_a'), read_index('read_b');
reset role;
