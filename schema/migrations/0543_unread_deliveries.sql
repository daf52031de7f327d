-- Signed deliveries that could not be understood: a person looks at them and resolves them.
alter table webhook_events
    -- `no_json`, `no_sender` …; null: understood.
    add column unread text,
    add column resolved_at timestamptz,
    add column resolved_by text,
    add column resolution text;
create index webhook_events_unread on webhook_events (tenant_id, id) where unread is not null and resolved_at is null;
