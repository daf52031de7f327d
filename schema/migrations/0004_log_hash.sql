-- The chain: each event's hash covers the one before it in its stream. The same formula is in schema/src/log/chain.rs.
create function log.event_hash(e log.events) returns bytea language sql immutable parallel safe as $$
  select sha256('\x01'::bytea || e.previous_hash
    || sha256(convert_to(concat_ws(E'\x1f', e.event_id, e.tenant_id, e.stream_id, e.version, e.event_type, e.schema_version,
         (extract(epoch from e.recorded_at) * 1000000)::bigint, e.command_id, e.correlation_id, coalesce(e.causation_id, ''), e.actor), 'UTF8'))
    || sha256(convert_to(e.data::text, 'UTF8'))
    || sha256(convert_to(e.metadata::text, 'UTF8')))
$$;

-- One row an event of the stream, in order: whether its bytes match its hash, it names the hash before it, its version
-- follows, and its time does not go back.
create function log.verify_stream(stream text) returns table (version bigint, position_in_log bigint, ok boolean)
language sql stable as $$
  select e.version, e.position,
         e.hash = log.event_hash(e)
         and e.previous_hash = coalesce(lag(e.hash) over w, decode(repeat('00', 32), 'hex'))
         and e.version = row_number() over w
         and e.recorded_at >= coalesce(lag(e.recorded_at) over w, e.recorded_at)
    from log.events e
   where e.stream_id = stream
  window w as (order by e.version)
   order by e.version
$$;
