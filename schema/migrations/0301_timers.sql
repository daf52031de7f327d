-- What is due when, folded from the log by the clock. Droppable together with `admissions`.
create table timers (
    tenant_id text collate "C" not null,
    run_id text collate "C" not null,
    -- The block that is retried by itself.
    block_id text collate "C" not null,
    -- Microseconds since 1970 UTC, compared with Postgres' clock.
    due_at_micros bigint not null,
    -- The event that set it: the command's id derives from it, so that firing twice changes nothing.
    event_id text collate "C" not null,
    -- Refused when it was due (a paused run); due again when the run resumes.
    parked boolean not null,
    primary key (run_id, block_id)
);
