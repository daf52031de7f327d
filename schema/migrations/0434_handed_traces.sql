-- Leads that were handed over to a provider which posts its answers later: who waits for which answers, and until when. Written
-- before the provider is called, so that nobody is handed over twice while the answer may still come.
create table trace_batches (
    tenant_id      text collate "C" not null,
    id             text collate "C" not null,
    root_run_id    text collate "C" not null,
    run_id         text collate "C" not null,
    block_id       text collate "C" not null,
    -- Of the block, when it handed over.
    attempt        integer not null,
    -- The release of the block that pays: the artifact id that its `block:queued` fixed.
    release        text collate "C" not null,
    -- SHA-256 of the token in the address that is posted to; the token itself is kept nowhere.
    secret_hash    bytea not null unique check (length(secret_hash) = 32),
    -- The key that was handed over with, sealed with the tenant's data key: the provider proves itself with it.
    signing_sealed bytea not null,
    signing_key_version integer not null,
    -- Micro-dollars of a match, as the run has pinned it.
    price_micros   bigint not null check (price_micros >= 0),
    created_at     timestamptz not null default now(),
    deadline       timestamptz not null,
    -- The provider said that all was posted.
    completed_at   timestamptz,
    -- The block has read its answers. One that comes later is counted by the release that uses it.
    closed_at      timestamptz,
    primary key (tenant_id, id)
);
create index trace_batches_by_release on trace_batches (tenant_id, release);
create index trace_batches_open on trace_batches (tenant_id, run_id) where closed_at is null;

create table trace_leads (
    tenant_id      text collate "C" not null,
    batch_id       text collate "C" not null,
    lead_id        text collate "C" not null,
    root_run_id    text collate "C" not null,
    -- SHA-256 (lower hex) of what was asked: answers are stored by it.
    request_digest text collate "C" not null,
    -- Neither answered nor given up.
    awaited        boolean not null default true,
    -- Why the provider has no answer, in its words and ours.
    failure        json,
    primary key (tenant_id, batch_id, lead_id),
    foreign key (tenant_id, batch_id) references trace_batches (tenant_id, id) on delete cascade
);
create index trace_leads_by_lead on trace_leads (lead_id, root_run_id, tenant_id);
-- One question is with the provider once at a time, whoever asks.
create unique index trace_leads_awaited on trace_leads (lead_id, root_run_id, tenant_id, request_digest) where awaited;

-- Whether answers of a batch may still come. Items and the word that all were posted may overtake each other for a moment.
create function trace_is_open(deadline timestamptz, completed_at timestamptz) returns boolean language sql stable as
$$ select deadline > now() and (completed_at is null or completed_at > now() - interval '5 seconds') $$;

do $$
declare
    name text;
begin
    foreach name in array array['trace_batches', 'trace_leads']
    loop
        execute format('alter table %I enable row level security', name);
        execute format('create policy tenant_reads on %I for select to luci_gateway, luci_auditor '
                       'using (tenant_id = current_setting(''app.tenant_id'', true))', name);
        execute format('create policy engine_all on %I to luci_engine using (true) with check (true)', name);
        execute format('grant select, insert, update, delete on %I to luci_engine', name);
    end loop;
    -- Hashed and sealed secrets are for the engine alone.
    grant select (tenant_id, id, root_run_id, run_id, block_id, attempt, release, price_micros, created_at, deadline,
                  completed_at, closed_at) on trace_batches to luci_gateway, luci_auditor;
    grant select on trace_leads to luci_gateway, luci_auditor;
end $$;
