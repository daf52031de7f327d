-- The list of read tables. Every function below reads it, so that a new projection's migration is one call of read_add.
create table read_tables (
    name     text    collate "C" primary key,
    -- The serving table holds every event since position 1. False for a table that was added to a log with history: the
    -- projector leaves it alone, the next rebuild folds it.
    complete boolean not null
);
insert into read_tables (name, complete)
values ('pipeline_runs', true), ('block_executions', true), ('artifacts', true), ('run_metrics', true), ('run_counters', true);
grant select on read_tables to luci_projector;

-- Adds a read table to both versions. `ddl` is one `create table` with a primary key and a column tenant_id, its name
-- unqualified, and the table's indexes. Called by the migrating role.
create function read_add(name text, ddl text) returns void language plpgsql as $$
declare
    path text := current_setting('search_path');
    role text := current_setting('role');
    v    text;
begin
    foreach v in array array['read_a', 'read_b'] loop
        perform set_config('search_path', v, true), set_config('role', 'luci_projector', true);
        execute ddl;
        execute format('alter table %I.%I enable row level security', v, name);
        execute format('create policy tenant_reads on %I.%I for select to luci_gateway, luci_auditor
                        using (tenant_id = current_setting(''app.tenant_id'', true))', v, name);
        execute format('create policy projector_works on %I.%I to luci_projector, luci_engine using (true) with check (true)',
                       v, name);
        execute format('grant select on %I.%I to luci_gateway, luci_auditor, luci_engine', v, name);
        perform set_config('search_path', path, true), set_config('role', role, true);
    end loop;
    insert into public.read_tables
    values (name, not exists (select from log.followers f where f.name = 'projector' and f.position > 0));
    perform public.read_serve(version) from public.read_versions where serving;
    execute format('grant select on public.%I to luci_gateway, luci_auditor, luci_engine, luci_projector', name);
end
$$;
revoke execute on function read_add(text, text) from public;

-- Empties a version and drops its secondary indexes: a bulk fold is faster without, and makes them at its end.
create or replace function read_clear(v text) returns void language plpgsql as $$
declare
    i record;
begin
    if v not in ('read_a', 'read_b') or exists (select from public.read_versions where version = v and serving) then
        raise exception 'version % serves and is not cleared', v;
    end if;
    execute (select 'truncate ' || string_agg(format('%I.%I', v, name), ', ') from public.read_tables);
    for i in select indexrelid::regclass::text as name from pg_index x join pg_class c on c.oid = x.indrelid
             where c.relnamespace = v::regnamespace and not x.indisprimary loop
        execute 'drop index ' || i.name;
    end loop;
    update public.read_versions set position = 0 where version = v;
end
$$;

-- Creates the secondary indexes that the serving version has and `v` lacks: read_clear never drops those of the serving one.
create or replace function read_index(v text) returns void language plpgsql as $$
declare
    i record;
begin
    for i in select pg_get_indexdef(x.indexrelid) as ddl, format(' ON %I.', s.version) as serving
               from public.read_versions s
               join pg_class t on t.relnamespace = s.version::regnamespace
               join pg_index x on x.indrelid = t.oid
               join pg_class n on n.oid = x.indexrelid
              where s.serving and s.version <> v and not x.indisprimary
                and to_regclass(format('%I.%I', v, n.relname)) is null
              order by n.relname loop
        execute replace(i.ddl, i.serving, format(' ON %I.', v));
    end loop;
end
$$;

-- Statistics of a version after a bulk fold. A small sample is enough for plans; autovacuum takes a larger one later.
create function read_analyze(v text) returns void language plpgsql set default_statistics_target = 20 as $$
begin
    execute (select 'analyze ' || string_agg(format('%I.%I', v, name), ', ') from public.read_tables);
end
$$;

-- Points the views at a version. The views belong to the migrating role, as public does; so the projector swaps through
-- this function. security_invoker: the tables' row security is that of the reader, not of the views' owner.
create or replace function read_serve(v text) returns void language plpgsql security definer set search_path = pg_catalog as $$
declare
    t text;
begin
    if v not in ('read_a', 'read_b') then
        raise exception 'no read version is called %', v;
    end if;
    for t in select name from public.read_tables order by name loop
        execute format('create or replace view public.%1$I with (security_invoker = true) as select * from %2$I.%1$I', t, v);
    end loop;
    -- A version that begins to serve was folded from position 1, with every table of the list.
    update public.read_tables set complete = true
     where not complete and not exists (select from public.read_versions where version = v and serving);
    update public.read_versions set serving = false where version <> v;
    update public.read_versions set serving = true where version = v;
end
$$;

-- Empty temporary tables like the read tables, for a fresh fold beside them.
create or replace function read_temporary() returns void language plpgsql as $$
declare
    t record;
begin
    for t in select r.name, pg_get_constraintdef(k.oid) as key
               from public.read_tables r
               join pg_constraint k on k.conrelid = format('%I.%I', public.read_serving(), r.name)::regclass and k.contype = 'p' loop
        execute format('create temporary table %1$I (like %2$I.%1$I including generated)', t.name, public.read_serving());
        execute format('alter table pg_temp.%I add %s', t.name, t.key);
    end loop;
end
$$;

-- Rows of a read table that differ between the temporary table and the serving one: the primary key, joined by '/', and
-- both rows, one of them null where it is missing. Only rows of `tenant`, unless null; at most `most`.
create function read_differences(t text, tenant text, most integer, out key text, out fresh jsonb, out stored jsonb)
returns setof record language plpgsql as $$
declare
    parts text;
begin
    select string_agg(format('t.%I', a.attname), ', ' order by array_position(k.conkey, a.attnum)) into strict parts
      from pg_constraint k join pg_attribute a on a.attrelid = k.conrelid and a.attnum = any(k.conkey)
     where k.conrelid = format('pg_temp.%I', t)::regclass and k.contype = 'p';
    return query execute format(
        'with fresh as (select concat_ws(''/'', %1$s) as key, to_jsonb(t) as row from pg_temp.%2$I t),
              stored as (select concat_ws(''/'', %1$s) as key, to_jsonb(t) as row from public.%2$I t
                          where $1 is null or tenant_id = $1)
         select key, fresh.row, stored.row from fresh full join stored using (key)
          where fresh.row is distinct from stored.row order by key limit $2', parts, t) using tenant, most;
end
$$;
