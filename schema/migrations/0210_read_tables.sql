-- The read tables' one definition, used for both versions. No foreign keys: a read table can be dropped at any time.
-- fillfactor 50 and no index on a column that changes with each block keep the updates of a running run HOT.
create function read_make(v text) returns void language plpgsql as $$
declare
    before text := current_setting('search_path');
    t      text;
begin
    perform set_config('search_path', v, true);

    create table pipeline_runs (
        run_id               text        collate "C" primary key,
        tenant_id            text        collate "C" not null,
        sector_id            text        collate "C",
        sector_name          text        collate "C",
        pipeline_name        text        collate "C" not null,
        blueprint_id         text        collate "C" not null,
        blueprint_version    integer     not null,
        status               text        collate "C" not null,
        progress             smallint    not null,
        current_stage        text        collate "C",
        total_leads          bigint      not null,
        processed_leads      bigint      not null,
        created_at           timestamptz not null,
        started_at           timestamptz,
        completed_at         timestamptz,
        deleted_at           timestamptz,
        triggered_by         text        collate "C" not null,
        trigger_type         text        collate "C" not null,
        correlation_id       text        collate "C" not null,
        parent_run_id        text        collate "C",
        replayed_from_run_id text        collate "C",
        cost_micros          bigint      not null,
        budget_micros        bigint,
        error                json,
        pause                json,                 -- by whom, since when and why, while paused
        failed_block         json,                 -- a failed block that the run waits for
        active_runs          integer     not null, -- the tenant's slots when the run was queued
        blocks               integer     not null, -- sequence of the newest block
        stages               json        not null, -- sums per stage, in the order of the blueprint
        version              bigint      not null,
        position             bigint      not null,
        -- What lists search and sort by. Under row security only leakproof comparisons of plain columns use an index, so
        -- prefixes are compared in lower case with < and >= (not LIKE), and what has not happened is infinitely late.
        started_key          timestamptz not null generated always as (coalesce(started_at, 'infinity')) stored,
        completed_key        timestamptz not null generated always as (coalesce(completed_at, 'infinity')) stored,
        name_key             text        collate "C" not null generated always as (lower(pipeline_name)) stored,
        sector_key           text        collate "C" not null generated always as (coalesce(lower(sector_name), '')) stored
    ) with (fillfactor = 50);

    create table block_executions (
        block_id           text        collate "C" primary key,
        tenant_id          text        collate "C" not null,
        run_id             text        collate "C" not null,
        block_number       integer     not null,
        total_blocks       integer,
        sequence           integer     not null,
        stage_name         text        collate "C" not null,
        provider           text        collate "C",
        status             text        collate "C" not null,
        attempt            integer     not null,
        retry_count        integer     not null,
        retry_of           text        collate "C",
        input_count        bigint      not null,
        success_count      bigint      not null,
        no_match_count     bigint      not null,
        failed_count       bigint      not null,
        skipped_count      bigint      not null,
        processed_count    bigint      not null generated always as (success_count + no_match_count + failed_count) stored,
        output_count       bigint      not null generated always as (success_count + no_match_count + skipped_count) stored,
        cost_micros        bigint      not null,
        input_artifact_id  text        collate "C",
        output_artifact_id text        collate "C",
        output_version     integer     not null,
        completed_once     boolean     not null,   -- a retry of it sends its failed leads only, and its counts are merged
        queued_at          timestamptz not null,
        started_at         timestamptz,
        completed_at       timestamptz,
        error              json,
        detail             json,                   -- failures, reasons, warnings, score; absent when all are empty
        version            bigint      not null,
        position           bigint      not null
    ) with (fillfactor = 50);

    create table artifacts (
        artifact_id         text        collate "C" primary key,
        tenant_id           text        collate "C" not null,
        run_id              text        collate "C" not null,
        block_id            text        collate "C",
        artifact_type       text        collate "C" not null,
        object_path         text        collate "C" not null,
        mime_type           text        collate "C" not null,
        size_bytes          bigint      not null,
        checksum            text        collate "C" not null,
        version             integer     not null,  -- 1, 2 … within its block and type
        superseded_by       text        collate "C",
        parent_artifact_ids text[]      collate "C" not null,
        metadata            json        not null,
        created_at          timestamptz not null,
        expired_at          timestamptz
    ) with (fillfactor = 90);                      -- written once; seldom superseded

    create table run_metrics (
        run_id                 text     collate "C" primary key,
        tenant_id              text     collate "C" not null,
        total_leads            bigint   not null,
        processed              bigint   not null,
        enriched               bigint   not null,
        skip_traced            bigint   not null,
        scored                 bigint   not null,
        pushed                 bigint   not null,
        enrichment_processed   bigint   not null,  -- what the hit rates are taken of
        skip_trace_processed   bigint   not null,
        score_sum              bigint   not null,
        enrichment_cost_micros bigint   not null,
        skip_trace_cost_micros bigint   not null,
        total_cost_micros      bigint   not null,
        error_count            bigint   not null,
        warning_count          bigint   not null,
        started_at             timestamptz,
        completed_at           timestamptz,
        position               bigint   not null
    ) with (fillfactor = 50);

    create table run_counters (
        tenant_id text   collate "C" not null,
        status    text   collate "C" not null,
        runs      bigint not null,                 -- deleted ones are not counted
        primary key (tenant_id, status)
    ) with (fillfactor = 50);

    foreach t in array array['pipeline_runs', 'block_executions', 'artifacts', 'run_metrics', 'run_counters'] loop
        execute format('alter table %I enable row level security', t);
        execute format('create policy tenant_reads on %I for select to luci_gateway, luci_auditor
                        using (tenant_id = current_setting(''app.tenant_id'', true))', t);
        execute format('create policy projector_works on %I to luci_projector, luci_engine using (true) with check (true)', t);
        execute format('grant select on %I to luci_gateway, luci_auditor, luci_engine', t);
    end loop;
    perform set_config('search_path', before, true);
end
$$;

-- Tables and indexes belong to luci_projector, which drops and makes them again in a rebuild.
set local role luci_projector;
select read_make('read_a'), read_make('read_b');
reset role;
