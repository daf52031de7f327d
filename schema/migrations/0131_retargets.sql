-- Silent leads whose time has come, for the sender to look up every second.
create index attempt_logs_retarget on attempt_logs (tenant_id, retarget_at)
    where retarget_at is not null and channel = 'sms';
