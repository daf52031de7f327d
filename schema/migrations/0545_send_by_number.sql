-- A send belongs to a phone number: the send key has the number in the place of the lead. Of the rows that now have one key,
-- the one that got furthest takes the key. The others keep their old key, and what of them is still queued is cancelled, so
-- that no number gets the same text twice across the upgrade.
create function pg_temp.send_key(tenant text, channel text, number text, campaign text, attempt integer) returns bytea
    language sql immutable
    return sha256(convert_to(tenant || e'\x1f' || channel || e'\x1f' || number || e'\x1f' || campaign || e'\x1f'
                             || attempt::text || e'\x1f', 'UTF8'));

create temporary table send_places on commit drop as
    select tenant_id, id, 'sms' as channel, to_number as number, campaign_id, attempt_number, status,
           row_number() over (partition by tenant_id, to_number, campaign_id, attempt_number
                              order by case when status in ('sent', 'processing') then 0
                                            when status = 'failed' then 1
                                            when status in ('rejected', 'cancelled') then 3 else 2 end, created_at, id) as place
      from sms_queue
    union all
    select tenant_id, id, 'call', phone, campaign_id, attempt_number, status,
           row_number() over (partition by tenant_id, phone, campaign_id, attempt_number
                              order by case when status in ('in_progress', 'completed', 'no_answer') then 0
                                            when status = 'failed' then 1 when status = 'skipped' then 3 else 2 end,
                                       created_at, id)
      from dialer_queue;

update sms_queue q set send_key = pg_temp.send_key(q.tenant_id, 'sms', q.to_number, q.campaign_id, q.attempt_number)
  from send_places p where p.channel = 'sms' and p.place = 1 and q.tenant_id = p.tenant_id and q.id = p.id;
update dialer_queue q set send_key = pg_temp.send_key(q.tenant_id, 'call', q.phone, q.campaign_id, q.attempt_number)
  from send_places p where p.channel = 'call' and p.place = 1 and q.tenant_id = p.tenant_id and q.id = p.id;

update attempt_logs a set status = 'cancelled', error_code = 'already_queued'
  from send_places p
 where p.place > 1 and p.status in ('draft', 'approved', 'pending')
   and a.tenant_id = p.tenant_id and a.queue_id = p.id and a.status = 'queued';
update sms_queue q set status = 'cancelled', error_code = 'already_queued', updated_at = now()
  from send_places p
 where p.channel = 'sms' and p.place > 1 and q.tenant_id = p.tenant_id and q.id = p.id
   and q.status in ('draft', 'approved', 'pending');
update dialer_queue q set status = 'skipped', error_code = 'already_queued', updated_at = now()
  from send_places p
 where p.channel = 'call' and p.place > 1 and q.tenant_id = p.tenant_id and q.id = p.id and q.status = 'pending';
