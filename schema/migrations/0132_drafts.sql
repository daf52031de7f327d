-- A run's or a campaign's drafts, to be approved or rejected together.
create index sms_queue_drafts on sms_queue (tenant_id, run_id, campaign_id, id) where status = 'draft';
