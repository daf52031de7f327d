-- Calls to make, under the same kind of `send_key` as text messages.
create table dialer_queue (
    tenant_id text collate "C" not null,
    id text collate "C" not null,
    send_key bytea not null check (length(send_key) = 32),
    lead_id text collate "C" not null,
    campaign_id text collate "C" not null,
    run_id text collate "C" not null,
    block_id text collate "C" not null,
    phone text not null,
    contact_name text,
    company_name text,
    -- 5, and 2 more for decision makers.
    priority smallint not null default 5 check (priority between 1 and 10),
    status text not null default 'pending' check (status in
        ('pending', 'in_progress', 'completed', 'failed', 'no_answer', 'skipped')),
    attempts smallint not null default 0,
    scheduled_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, send_key),
    foreign key (tenant_id, lead_id) references leads (tenant_id, id) on delete cascade
);

create index dialer_queue_due on dialer_queue (tenant_id, priority desc, created_at) where status = 'pending';
