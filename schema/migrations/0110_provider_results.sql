-- Each answer of a provider as it arrived; asked first by any later attempt, so that nothing is paid for twice.
create table provider_results (
    tenant_id text collate "C" not null,
    -- The first run of the lineage: retries and replays find what it paid for.
    root_run_id text collate "C" not null,
    stage text not null,
    lead_id text collate "C" not null,
    -- SHA-256 (lower hex) of what was asked: other identifiers are another question.
    request_digest text collate "C" not null,
    provider text not null,
    -- The answer as read by the provider's adapter; a match or none.
    outcome json not null,
    cost_micros bigint not null default 0 check (cost_micros >= 0),
    created_at timestamptz not null default now(),
    -- The lead first: what is asked is always of some leads, and a run's prefix would be read as a whole.
    primary key (lead_id, stage, root_run_id, tenant_id, request_digest)
);
