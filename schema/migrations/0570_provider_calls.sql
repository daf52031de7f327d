-- Lookups on their way: written before the request, deleted with the answer that is stored or when nothing can have been paid.
-- A row that is left when its query is asked again is a request that may have been paid and whose answer was lost: its price is
-- then added to `provider_results.paid_again_micros`, and the row is deleted.
create table provider_calls (
    tenant_id      text collate "C" not null,
    root_run_id    text collate "C" not null,
    stage          text not null,
    lead_id        text collate "C" not null,
    request_digest text collate "C" not null,
    -- One request.
    call_id        text collate "C" not null,
    provider       text not null,
    -- Of one match.
    price_micros   bigint not null check (price_micros >= 0),
    -- How often the request was sent without an answer.
    tries          integer not null default 1 check (tries >= 1),
    begun_at       timestamptz not null default now(),
    -- As in `provider_results`; several calls can ask the same.
    primary key (lead_id, stage, root_run_id, tenant_id, request_digest, call_id)
);
-- For the cleanup.
create index provider_calls_by_time on provider_calls (begun_at);

alter table provider_calls enable row level security;
create policy engine_works on provider_calls to luci_engine using (true) with check (true);
grant select, insert, update, delete on provider_calls to luci_engine;
