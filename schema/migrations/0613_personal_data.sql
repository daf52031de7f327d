-- Where the data of people is, and what an erasure does with it. This list is complete: a test compares it with the columns of
-- the database, so that a new column must be entered here before it is used. (Objects: `engine/stages/src/erasure/objects.rs`.)
create table personal_data (
    table_name  text not null,
    column_name text not null,
    -- `deleted`: the row goes. `cleared`: the column is emptied. `hashed`: only a keyed hash stays. `sealed`: encrypted until the
    -- erasure is complete. `none`: it holds nothing of a lead.
    treatment   text not null check (treatment in ('deleted', 'cleared', 'hashed', 'sealed', 'none')),
    primary key (table_name, column_name)
);
grant select on personal_data to luci_engine, luci_gateway, luci_auditor;

-- Removes the rows of a person; says how many of each table. What a row refers to (leads) goes last.
create function erase_person_rows(of_tenant text, lead_ids text[], phones text[], emails text[])
    returns table (table_name text, removed bigint) language plpgsql as
$$
declare
    provider_ids text[];
begin
    select coalesce(array_agg(id), '{}') into provider_ids
      from (select provider_message_id as id from sms_queue where tenant_id = of_tenant and lead_id = any (lead_ids)
            union select provider_call_id from dialer_queue where tenant_id = of_tenant and lead_id = any (lead_ids)) as sent
     where id is not null;
    delete from early_reports where tenant_id = of_tenant and provider_id = any (provider_ids);
    get diagnostics removed = row_count; table_name := 'early_reports'; return next;
    delete from attempt_logs where tenant_id = of_tenant and lead_id = any (lead_ids);
    get diagnostics removed = row_count; table_name := 'attempt_logs'; return next;
    delete from sms_queue where tenant_id = of_tenant and lead_id = any (lead_ids);
    get diagnostics removed = row_count; table_name := 'sms_queue'; return next;
    delete from dialer_queue where tenant_id = of_tenant and lead_id = any (lead_ids);
    get diagnostics removed = row_count; table_name := 'dialer_queue'; return next;
    delete from number_holds where tenant_id = of_tenant and (lead_id = any (lead_ids) or number = any (phones));
    get diagnostics removed = row_count; table_name := 'number_holds'; return next;
    update webhook_events set resolution = null
     where tenant_id = of_tenant and lead_id = any (lead_ids) and resolution is not null;
    get diagnostics removed = row_count; table_name := 'webhook_events'; return next;
    delete from suppressions
     where tenant_id = of_tenant and ((kind = 'phone' and value = any (phones)) or (kind = 'email' and value = any (emails)));
    get diagnostics removed = row_count; table_name := 'suppressions'; return next;
    delete from provider_results where tenant_id = of_tenant and lead_id = any (lead_ids);
    get diagnostics removed = row_count; table_name := 'provider_results'; return next;
    delete from provider_calls where tenant_id = of_tenant and lead_id = any (lead_ids);
    get diagnostics removed = row_count; table_name := 'provider_calls'; return next;
    delete from trace_leads where tenant_id = of_tenant and lead_id = any (lead_ids);
    get diagnostics removed = row_count; table_name := 'trace_leads'; return next;
    delete from trace_queues where tenant_id = of_tenant and lead_id = any (lead_ids);
    get diagnostics removed = row_count; table_name := 'trace_queues'; return next;
    delete from contacts where tenant_id = of_tenant and lead_id = any (lead_ids);
    get diagnostics removed = row_count; table_name := 'contacts'; return next;
    delete from lead_keys where tenant_id = of_tenant and lead_id = any (lead_ids);
    get diagnostics removed = row_count; table_name := 'lead_keys'; return next;
    delete from leads where tenant_id = of_tenant and id = any (lead_ids);
    get diagnostics removed = row_count; table_name := 'leads'; return next;
end
$$;

-- Whether a send to the person is with the carrier now: its outcome is written to the row first.
create function person_sends_in_flight(of_tenant text, lead_ids text[]) returns boolean language sql stable as
$$
select exists (select from sms_queue where tenant_id = of_tenant and lead_id = any (lead_ids) and status = 'processing')
    or exists (select from dialer_queue where tenant_id = of_tenant and lead_id = any (lead_ids) and status = 'in_progress'
                                              and claimed_at > now() - interval '10 minutes')
$$;

-- The rows of a person, for a copy of all that is stored of them.
create function person_rows(of_tenant text, lead_ids text[], phones text[], emails text[])
    returns table (table_name text, content json) language sql stable as
$$
select 'leads', row_to_json(l) from leads l where tenant_id = of_tenant and id = any (lead_ids)
union all select 'contacts', row_to_json(l) from contacts l where tenant_id = of_tenant and lead_id = any (lead_ids)
union all select 'sms_queue', row_to_json(l) from sms_queue l where tenant_id = of_tenant and lead_id = any (lead_ids)
union all select 'dialer_queue', row_to_json(l) from dialer_queue l where tenant_id = of_tenant and lead_id = any (lead_ids)
union all select 'attempt_logs', row_to_json(l) from attempt_logs l where tenant_id = of_tenant and lead_id = any (lead_ids)
union all select 'provider_results', row_to_json(l) from provider_results l
           where tenant_id = of_tenant and lead_id = any (lead_ids)
union all select 'number_holds', row_to_json(l) from number_holds l
           where tenant_id = of_tenant and (lead_id = any (lead_ids) or number = any (phones))
union all select 'webhook_events', row_to_json(l) from webhook_events l where tenant_id = of_tenant and lead_id = any (lead_ids)
union all select 'suppressions', row_to_json(l) from suppressions l
           where tenant_id = of_tenant and ((kind = 'phone' and value = any (phones)) or (kind = 'email' and value = any (emails)))
$$;
revoke all on function erase_person_rows, person_sends_in_flight, person_rows from public;
grant execute on function erase_person_rows, person_sends_in_flight, person_rows to luci_engine;

-- Ids of the erased leads tell a second erasure of one from a lead that never was.
alter table erasures add column lead_ids text[] not null default '{}';
