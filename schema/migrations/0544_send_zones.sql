-- Every time zone that the recipient may be in. A message goes only when the window is open in all of them; null: queued before
-- this was recorded, and the sender looks the zones up. `time_zone`, one zone or none, is not read any more, nor are the
-- functions `send_window_open` and `send_window_next`: clocks come from one time zone database, that of the program.
alter table sms_queue add column time_zones text[];
alter table dialer_queue add column time_zones text[];

create index sms_queue_unzoned on sms_queue (tenant_id, id)
    where time_zones is null and status in ('approved', 'pending');
create index dialer_queue_unzoned on dialer_queue (tenant_id, id) where time_zones is null and status = 'pending';
