-- A data key for each tenant: it seals the tenant's provider credentials and webhook secrets, and is itself wrapped by the
-- master key, which no database knows. Deleting a tenant's rows makes all that was sealed with them unreadable for good.
create table tenant_keys (
    tenant_id     text collate "C" not null references tenants (id),
    -- What is sealed names the version it was sealed with, so that a new one leaves the old readable.
    key_version   integer not null check (key_version > 0),
    -- AES-256-GCM under a key derived from the master key; tenant and version are its associated data.
    wrapped       bytea not null,
    created_at    timestamptz not null default now(),
    primary key (tenant_id, key_version)
);

-- Wrapped or not, keys are for the engine alone.
alter table tenant_keys enable row level security;
create policy engine_all on tenant_keys to luci_engine using (true) with check (true);
grant select, insert, delete on tenant_keys to luci_engine;
