-- Addresses that providers call: the token in the path names tenant and purpose. Only its SHA-256 is stored.
create table webhook_tokens (
    tenant_id      text collate "C" not null references tenants (id),
    id             text collate "C" not null,
    source         text collate "C" not null check (source in
        ('signalhouse', 'twilio', 'stripe', 'sendgrid', 'realestate', 'tracerfy', 'apollo', 'generic')),
    -- `status`, `automation:{id}` or `block:{run}:{block}:{attempt}`.
    purpose        text collate "C" not null,
    secret_hash    bytea not null unique check (length(secret_hash) = 32),
    -- What the source signs with, sealed with the tenant's data key; null where the token alone is the proof.
    signing_sealed bytea,
    signing_key_version integer,
    created_by     text not null,
    created_at     timestamptz not null default now(),
    expires_at     timestamptz,
    revoked_at     timestamptz,
    primary key (tenant_id, id)
);
-- Deliveries to an address without a token are proved by the secrets of the tenant's tokens of that source.
create index webhook_tokens_by_source on webhook_tokens (tenant_id, source) where revoked_at is null;

alter table webhook_events
    -- What happened, in the source's normalised words.
    add column kind text not null default 'unknown',
    add column verified_by text,
    add column checksum text collate "C",
    -- Of an inbound message: whom it came from and what it was taken for.
    add column lead_id text collate "C",
    add column class text;

-- A block that waits for an answer looks for the delivery that was made for it.
create index webhook_events_by_purpose on webhook_events (tenant_id, purpose, id);
