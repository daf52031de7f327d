-- Text messages to send. `send_key` is what makes it impossible to send one twice.
create table sms_queue (
    tenant_id text collate "C" not null,
    id text collate "C" not null,
    -- SHA-256 of tenant, channel, lead, campaign and the campaign's attempt number; never of block or try.
    send_key bytea not null check (length(send_key) = 32),
    lead_id text collate "C" not null,
    -- The root run of the lineage, or a campaign's id.
    campaign_id text collate "C" not null,
    -- The run and block that queued it.
    run_id text collate "C" not null,
    block_id text collate "C" not null,
    to_number text not null,
    body text not null,
    template_category text not null default 'general',
    personality text not null default 'professional',
    agent text not null default 'gianna',
    priority smallint not null default 5 check (priority between 1 and 10),
    status text not null default 'draft' check (status in
        ('draft', 'approved', 'pending', 'processing', 'sent', 'failed', 'rejected', 'cancelled')),
    attempts smallint not null default 0,
    max_attempts smallint not null default 3,
    scheduled_at timestamptz not null default now(),
    sent_at timestamptz,
    provider_message_id text,
    error_code text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, send_key),
    foreign key (tenant_id, lead_id) references leads (tenant_id, id) on delete cascade
);

-- The sender takes the due ones, highest priority first, oldest first.
create index sms_queue_due on sms_queue (tenant_id, priority desc, created_at) where status = 'pending';
