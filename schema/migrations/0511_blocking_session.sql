-- The session that stops every append: it holds a lock on log.head in a transaction older than any append's.
-- security definer: only the server's owner sees when another user's transaction began.
create function log.blocking_session(out pid integer, out usename text, out application text, out seconds bigint)
returns setof record language sql security definer set search_path = pg_catalog as $$
    select a.pid, a.usename::text, coalesce(a.application_name, ''),
           extract(epoch from clock_timestamp() - a.xact_start)::bigint
      from pg_locks l join pg_stat_activity a on a.pid = l.pid
     where l.database = (select oid from pg_database where datname = current_database())
       and l.relation = 'log.head'::regclass and l.granted and l.mode <> 'AccessShareLock'
       and l.pid <> pg_backend_pid() and a.xact_start < clock_timestamp() - interval '4 seconds'
     order by a.xact_start limit 1
$$;
revoke execute on function log.blocking_session() from public;
grant execute on function log.blocking_session() to luci_engine;
