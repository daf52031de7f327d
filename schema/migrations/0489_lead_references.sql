-- What belongs to a lead goes with it, and a sector that leads are in stays: by triggers on the rare deletion instead of by
-- foreign keys, whose check of every row that is written was an eighth of all that an import cost Postgres. Who writes rows
-- that name a lead holds the lead by `for key share` first (`book::leads::contactable`, `book::contacts::save`). A sector is not held: nothing but an
-- owner's SQL deletes one, and a lead that is assigned to it at that very moment would name it still.
alter table contacts drop constraint contacts_tenant_id_lead_id_fkey;
alter table sms_queue drop constraint sms_queue_tenant_id_lead_id_fkey;
alter table dialer_queue drop constraint dialer_queue_tenant_id_lead_id_fkey;
alter table attempt_logs drop constraint attempt_logs_tenant_id_lead_id_fkey;
alter table leads drop constraint leads_tenant_id_sector_id_fkey;

create function lead_goes() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    -- Its keys, too: who comes again is a new lead.
    delete from lead_keys where tenant_id = old.tenant_id and lead_id = old.id;
    delete from contacts where tenant_id = old.tenant_id and lead_id = old.id;
    delete from sms_queue where tenant_id = old.tenant_id and lead_id = old.id;
    delete from dialer_queue where tenant_id = old.tenant_id and lead_id = old.id;
    delete from attempt_logs where tenant_id = old.tenant_id and lead_id = old.id;
    return null;
end
$$;
create trigger lead_goes after delete on leads for each row execute function lead_goes();

create function sector_stays() returns trigger language plpgsql security definer set search_path = public, pg_temp as $$
begin
    if exists (select from leads where tenant_id = old.tenant_id and sector_id = old.id) then
        raise exception 'leads are in sector %', old.id using errcode = 'foreign_key_violation';
    end if;
    return old;
end
$$;
create trigger sector_stays before delete on sectors for each row execute function sector_stays();
