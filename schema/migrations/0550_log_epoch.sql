-- Which history this log has. A database that was restored to the past continues positions that the broker has published
-- with other events: every append therefore names the epoch and the newest position that its process knows.
create table log.epochs (
  number        bigint      primary key generated always as identity,
  epoch         text        not null unique default gen_random_uuid()::text,
  -- The head when the epoch began: events after it belong to it.
  from_position bigint      not null check (from_position >= 0),
  began_at      timestamptz not null default clock_timestamp()
);
insert into log.epochs (from_position) values (0);

alter table log.head
  add column epoch     text,
  -- Why nothing may be appended, and who found it: `relay` takes it back when the broker fits again, `log` never.
  add column halted    text,
  add column halted_by text check (halted_by in ('relay', 'log'));
update log.head set epoch = (select epoch from log.epochs);
alter table log.head alter column epoch set not null;

-- The append statement calls this when the log is not the one that its process knows, and so undoes itself whole.
create function log.refuse_history(head bigint, known bigint, halted text) returns bigint language plpgsql volatile as $$
begin
  raise exception '%', coalesce(halted,
      case when head < known
        then format('the log ends at position %s, but had reached %s: Postgres was restored to an earlier state', head, known)
        else 'the log was restored and accepted while this process ran: restart it' end)
    using errcode = 'LU002';
end $$;

-- Refuses all appends from now on; an earlier reason stays. Nothing happens when the caller's epoch is over.
create function log.halt(reason text, found_by text, of_epoch text) returns boolean language sql volatile as $$
  with done as (
    update log.head set halted = reason, halted_by = found_by
     where id = 0 and epoch = of_epoch and halted is null returning 1)
  select exists (select from done);
$$;

-- Takes back what the relay has halted.
create function log.resume() returns boolean language sql volatile as $$
  with done as (update log.head set halted = null, halted_by = null where halted_by = 'relay' returning 1)
  select exists (select from done);
$$;

-- Accepts the log as it is: a new epoch begins at its head, and appends are allowed again. For the owner only.
create function log.begin_epoch() returns table (from_position bigint, epoch text) language sql volatile as $$
  with begun as (
    insert into log.epochs (from_position) select position from log.head where id = 0
    returning epochs.from_position, epochs.epoch)
  update log.head h set epoch = begun.epoch, halted = null, halted_by = null from begun where h.id = 0
  returning begun.from_position, begun.epoch;
$$;
revoke execute on function log.begin_epoch() from public;

grant select on log.epochs to luci_engine;
