-- A tenant's own keys at outside providers, sealed with the tenant's data key, and what the providers charge.
create table provider_credentials (
    tenant_id     text collate "C" not null references tenants (id),
    provider      text collate "C" not null,
    -- AES-256-GCM under the tenant's data key, which the master key wraps.
    sealed        bytea not null,
    key_version   integer not null default 1,
    created_at    timestamptz not null default now(),
    updated_at    timestamptz not null default now(),
    primary key (tenant_id, provider)
);

-- Prices belong to no tenant. A run pins the prices that were valid when it was queued.
create table provider_prices (
    provider      text collate "C" not null,
    operation     text collate "C" not null,
    valid_from    timestamptz not null,
    -- Micro-dollars per lead that was answered.
    price_micros  bigint not null check (price_micros >= 0),
    primary key (provider, operation, valid_from)
);
