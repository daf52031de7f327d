-- Every attempt to reach a lead: the record that TCPA audits, campaign figures and retargeting read.
create table attempt_logs (
    tenant_id text collate "C" not null,
    id text collate "C" not null,
    lead_id text collate "C" not null,
    run_id text collate "C" not null,
    block_id text collate "C" not null,
    campaign_id text collate "C" not null,
    -- The queue entry, a `msg_` or `call_` id.
    queue_id text collate "C" not null,
    channel text not null check (channel in ('sms', 'email', 'call')),
    -- As given: initial, retarget, follow_up, book_appointment, confirm_appointment, nurture, ghost, scheduled, instant, nudger.
    context text not null default 'initial',
    attempt_number integer not null default 1 check (attempt_number >= 1),
    previous_attempts integer not null default 0,
    template_category text,
    agent text,
    status text not null default 'queued' check (status in
        ('queued', 'sent', 'delivered', 'failed', 'bounced', 'responded', 'cancelled')),
    contact_made boolean not null default false,
    response_text text,
    response_class text check (response_class in ('interested', 'not_interested', 'question', 'opt_out', 'ghost')),
    responded_at timestamptz,
    auto_retarget boolean not null default true,
    retarget_at timestamptz,
    approval_required boolean not null default true,
    approved_by text,
    approved_at timestamptz,
    provider_message_id text,
    provider_status text,
    error_code text,
    error_message text,
    metadata json,
    scheduled_at timestamptz,
    sent_at timestamptz,
    delivered_at timestamptz,
    created_at timestamptz not null default now(),
    primary key (tenant_id, id),
    foreign key (tenant_id, lead_id) references leads (tenant_id, id) on delete cascade
);

create index attempt_logs_by_lead on attempt_logs (lead_id, tenant_id, created_at desc);
create index attempt_logs_by_queue on attempt_logs (queue_id, tenant_id);
