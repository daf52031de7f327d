-- What a send was made of, where its recipient's clock stands, and who holds it while it is being sent.
alter table sms_queue
    -- As given: initial, retarget, follow_up, book_appointment, confirm_appointment, nurture, ghost, scheduled, instant, nudger.
    add column context text not null default 'initial',
    -- Of the campaign: each number is a send of its own, under a send key of its own.
    add column attempt_number integer not null default 1 check (attempt_number >= 1),
    -- What the text was rendered from: `tpl_…`, a built-in name, or null for the blueprint's own words.
    add column template_id text collate "C",
    add column template_version integer,
    add column segments smallint not null default 1 check (segments >= 1),
    -- IANA name; null where the lead's state is unknown: then the tenant's own zone counts.
    add column time_zone text,
    add column media_url text,
    add column approved_by text,
    add column approved_at timestamptz,
    add column provider text,
    add column from_number text,
    -- Rises with each claim: what an older holder of the row writes is refused.
    add column claim bigint not null default 0,
    add column claimed_at timestamptz;

alter table dialer_queue
    add column context text not null default 'initial',
    add column attempt_number integer not null default 1 check (attempt_number >= 1),
    add column time_zone text,
    add column max_attempts smallint not null default 3,
    add column provider text,
    add column from_number text,
    add column provider_call_id text,
    add column error_code text,
    add column placed_at timestamptz,
    add column claim bigint not null default 0,
    add column claimed_at timestamptz;

alter table attempt_logs
    add column campaign_name text,
    add column template_id text collate "C",
    add column template_version integer,
    add column provider text,
    add column segments smallint;

-- What was claimed since midnight or within the hour, and what a dead sender left behind.
create index sms_queue_claimed on sms_queue (tenant_id, claimed_at) where claimed_at is not null;
create index dialer_queue_claimed on dialer_queue (tenant_id, claimed_at) where claimed_at is not null;
create index sms_queue_approved on sms_queue (tenant_id, id) where status = 'approved';
-- Who was written to or called at a number: an answer finds its lead, an opt-out what is still queued.
create index sms_queue_by_number on sms_queue (to_number, tenant_id);
create index dialer_queue_by_number on dialer_queue (phone, tenant_id);
create index sms_queue_by_lead on sms_queue (lead_id, tenant_id);
create index dialer_queue_by_lead on dialer_queue (lead_id, tenant_id);
-- A status report names the provider's own id.
create index sms_queue_by_provider on sms_queue (provider_message_id, tenant_id) where provider_message_id is not null;
create index dialer_queue_by_provider on dialer_queue (provider_call_id, tenant_id) where provider_call_id is not null;
create index attempt_logs_by_run on attempt_logs (run_id, tenant_id, id);
