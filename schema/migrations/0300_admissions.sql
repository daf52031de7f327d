-- The clock's view of runs that hold a slot or wait for one, folded from the log. Droppable: set the follower `clock`
-- back to position 0 with it, and the clock folds it again.
create table admissions (
    tenant_id text collate "C" not null,
    run_id text collate "C" primary key,
    -- Position of run:queued: the oldest waiting run goes first.
    position bigint not null,
    -- The run:queued event: the start's command id derives from it.
    event_id text collate "C" not null,
    -- Holds a slot (running or paused); else it waits for one.
    active boolean not null
);

-- Runs that may be active at once, as the tenant's newest events say.
create table admission_limits (
    tenant_id text collate "C" primary key,
    active_runs integer not null
);
