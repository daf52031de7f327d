-- What providers sent. The payload is an object under `webhooks/`; a delivery is taken once, for ever.
create table webhook_events (
    tenant_id     text collate "C" not null references tenants (id),
    id            text collate "C" not null,
    source        text collate "C" not null,
    -- The provider's own id of the delivery, else the SHA-256 of the raw body in hex.
    external_id   text collate "C" not null,
    purpose       text not null,
    object_path   text collate "C" not null,
    size_bytes    bigint not null check (size_bytes >= 0),
    received_at   timestamptz not null default now(),
    handled_at    timestamptz,
    primary key (tenant_id, id),
    unique (tenant_id, source, external_id)
);
