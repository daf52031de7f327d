-- The log: every fact, once, for ever. Its schema is apart from the tables that are folded from it.
create schema log;

-- One row: the last position handed out. An append moves it last, so that positions are dense and in commit order:
-- the row stays locked from there to the commit, and whoever reads position N has N-1 committed before it.
create table log.head (
  id       smallint primary key default 0 check (id = 0),
  position bigint   not null check (position >= 0)
) with (fillfactor = 10, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
insert into log.head (id, position) values (0, 0);

-- The append statement calls this when a stream moved since its writer looked, and so undoes itself whole.
create function log.refuse_append(reason text) returns bigint language plpgsql volatile as $$
begin
  raise exception 'the append was refused: %', reason using errcode = 'LU001';
end $$;
