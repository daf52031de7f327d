-- SQL for auditors: a login of its own for each, bound to one tenant by its name. It sees the views of schema `audit` and nothing
-- else; there is no setting that it could change to see another tenant. `luci auditor create` makes one.
create schema audit;

create table audit.logins (
    -- The session's user: `set role` and settings do not change it.
    login      name primary key,
    tenant_id  text collate "C" not null references public.tenants (id),
    created_at timestamptz not null default now()
);
grant select on audit.logins to luci_engine;

-- The tenant of the login; null, and so no row of any view, for everybody else.
create function audit.tenant() returns text language sql stable security definer set search_path = pg_catalog, pg_temp as
$$ select tenant_id from audit.logins where login = session_user $$;
revoke all on function audit.tenant() from public;

-- Who read which history through the API. One row for each reading, not for each page.
create table public.history_reads (
    tenant_id text collate "C" not null references public.tenants (id),
    id        bigint generated always as identity,
    actor     text not null,
    stream_id text collate "C" not null,
    -- `events` or `bundle`
    what      text not null,
    read_at   timestamptz not null default now(),
    primary key (tenant_id, id)
);
alter table public.history_reads enable row level security;
create policy tenant_reads on public.history_reads for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on public.history_reads to luci_engine using (true) with check (true);
grant select, insert on public.history_reads to luci_engine;
grant select on public.history_reads to luci_gateway, luci_auditor;

create view audit.events with (security_barrier) as
    select position, version, event_id, event_type, stream_id, actor, command_id, correlation_id, causation_id,
           recorded_at, data::json as data, encode(previous_hash, 'hex') as previous_hash, encode(hash, 'hex') as hash
      from log.events where tenant_id = (select audit.tenant());
-- The read tables are behind views that read as whoever asks, so that they can be swapped. A function asks as the engine; it has
-- no parameter that could name another tenant.
create function audit.own_runs() returns setof public.pipeline_runs language sql stable security definer
    set search_path = pg_catalog, pg_temp as
$$ select * from public.pipeline_runs where tenant_id = (select audit.tenant()) $$;
create function audit.own_blocks() returns setof public.block_executions language sql stable security definer
    set search_path = pg_catalog, pg_temp as
$$ select * from public.block_executions where tenant_id = (select audit.tenant()) $$;
create function audit.own_artifacts() returns setof public.artifacts language sql stable security definer
    set search_path = pg_catalog, pg_temp as
$$ select * from public.artifacts where tenant_id = (select audit.tenant()) $$;
revoke all on function audit.own_runs(), audit.own_blocks(), audit.own_artifacts() from public;
create view audit.runs with (security_barrier) as select * from audit.own_runs();
create view audit.blocks with (security_barrier) as select * from audit.own_blocks();
create view audit.artifacts with (security_barrier) as
    select a.artifact_id, a.run_id, a.block_id, a.artifact_type, a.object_path, a.size_bytes, a.checksum, a.version,
           a.superseded_by, a.metadata, a.created_at, v.erased_at, v.expired_at
      from audit.own_artifacts() a
      left join public.object_versions v on v.tenant_id = a.tenant_id and v.object_path = a.object_path;
create view audit.removed_objects with (security_barrier) as
    select object_path, erased_at, expired_at, now_path, now_size_bytes, now_checksum
      from public.object_versions where tenant_id = (select audit.tenant());
create view audit.sends with (security_barrier) as
    select 'sms' as channel, id, lead_id, run_id, block_id, campaign_id, to_number, body, status, attempts, provider,
           from_number, provider_message_id, error_code, approved_by, approved_at, created_at, sent_at
      from public.sms_queue where tenant_id = (select audit.tenant())
    union all
    select 'call', id, lead_id, run_id, block_id, campaign_id, phone, null, status, attempts, provider,
           from_number, provider_call_id, error_code, null, null, created_at, placed_at
      from public.dialer_queue where tenant_id = (select audit.tenant());
create view audit.attempts with (security_barrier) as
    select id, lead_id, run_id, campaign_id, channel, context, attempt_number, status, response_class, responded_at,
           provider_message_id, error_code, sent_at, delivered_at, created_at
      from public.attempt_logs where tenant_id = (select audit.tenant());
create view audit.imports with (security_barrier) as
    select id, file_name, object_path, status, content_type, size_bytes, checksum, rows, created_by, created_at, completed_at
      from public.imports where tenant_id = (select audit.tenant());
create view audit.webhooks with (security_barrier) as
    select id, source, kind, external_id, purpose, verified_by, object_path, size_bytes, checksum, lead_id, class, unread,
           received_at, handled_at, resolved_at, resolved_by
      from public.webhook_events where tenant_id = (select audit.tenant());
create view audit.suppressions with (security_barrier) as
    select kind, value, reason, origin, rule, webhook_id, created_at, expires_at
      from public.suppressions where tenant_id = (select audit.tenant());
create view audit.erasures with (security_barrier) as
    select id, status, named_by, requested_by, requested_at, waiting_for, objects, rows, completed_at
      from public.erasures where tenant_id = (select audit.tenant());
create view audit.history_reads with (security_barrier) as
    select actor, stream_id, what, read_at from public.history_reads where tenant_id = (select audit.tenant());
create view audit.keys with (security_barrier) as
    select id, actor_id, name, prefix, role, scopes, created_at, expires_at, revoked_at, last_used_at
      from public.api_keys where tenant_id = (select audit.tenant());

-- The views read as the engine, which sees every tenant; their condition and barrier leave one. The owner of the tables would not do:
-- the log's row security binds even that.
do $$
declare
    v text;
begin
    grant usage, create on schema audit to luci_engine;
    alter function audit.own_runs() owner to luci_engine;
    alter function audit.own_blocks() owner to luci_engine;
    alter function audit.own_artifacts() owner to luci_engine;
    grant execute on function audit.tenant() to luci_engine;
    for v in select table_name from information_schema.views where table_schema = 'audit' loop
        execute format('alter view audit.%I owner to luci_engine', v);
        execute format('grant select on audit.%I to luci_sql_auditor', v);
    end loop;
    grant usage on schema audit to luci_sql_auditor;
    grant execute on function audit.tenant(), audit.own_runs(), audit.own_blocks(), audit.own_artifacts() to luci_sql_auditor;
    revoke create on schema audit from luci_engine;
end $$;

-- A login that is a member of nothing must find nothing. What rights on the database itself everybody has is taken away when a login
-- is made: a restored or copied database has them again.
revoke usage on schema public from public;
grant usage on schema public to luci_engine, luci_projector, luci_gateway, luci_auditor;

-- Makes a login, or gives one that there is another password. Only the database's owner can.
create function audit.create_login(of_tenant text, new_login text, new_password text) returns void language plpgsql as
$$
begin
    if new_login !~ '^luci_auditor_[a-z0-9_]{1,40}$' then
        raise exception 'the name of a login is luci_auditor_ and up to 40 of a-z, 0-9 and _';
    end if;
    if exists (select from audit.logins where login = new_login and tenant_id <> of_tenant) then
        raise exception 'the login % is of another tenant', new_login;
    end if;
    if exists (select from pg_roles where rolname = new_login) then
        if not exists (select from audit.logins where login = new_login) then
            raise exception 'there is a role % that is no login of an auditor of this database', new_login;
        end if;
        execute format('alter role %I password %L', new_login, new_password);
    else
        execute format('create role %I login connection limit 5 password %L', new_login, new_password);
    end if;
    insert into audit.logins (login, tenant_id) values (new_login, of_tenant) on conflict do nothing;
    execute format('grant luci_sql_auditor to %I', new_login);
    execute format('revoke temporary, create on database %I from public', current_database());
    execute format('grant temporary on database %I to luci_engine, luci_projector, luci_gateway', current_database());
    execute format('alter role %I set default_transaction_read_only = on', new_login);
    execute format('alter role %I set statement_timeout = ''60s''', new_login);
    execute format('alter role %I set search_path = audit', new_login);
end
$$;
revoke all on function audit.create_login(text, text, text) from public;

-- What Postgres lets every login do to others: large objects, which are a way to write, and advisory locks, with which one could
-- stop LUCI. Only a superuser may take these away; elsewhere the operator is told.
do $$
declare
    f regprocedure;
begin
    for f in select oid::regprocedure from pg_proc
              where pronamespace = 'pg_catalog'::regnamespace
                and (proname in ('lo_creat', 'lo_create', 'lo_from_bytea') or proname like 'pg_%advisory%lock%') loop
        execute format('grant execute on function %s to luci_engine, luci_projector, luci_gateway, luci_auditor', f);
        execute format('revoke execute on function %s from public', f);
    end loop;
exception when insufficient_privilege then
    raise warning 'logins of auditors can take advisory locks: revoke execute on pg_advisory_lock and lo_create from public as superuser';
end $$;
