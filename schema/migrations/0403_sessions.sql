-- A browser that signed in with a key. The cookie is random and stored hashed; it ends with its key.
create table sessions (
    tenant_id     text collate "C" not null references tenants (id),
    id            text collate "C" not null,
    key_id        text collate "C" not null,
    secret_hash   bytea not null unique check (length(secret_hash) = 32),
    created_at    timestamptz not null default now(),
    expires_at    timestamptz not null,
    primary key (tenant_id, id),
    foreign key (tenant_id, key_id) references api_keys (tenant_id, id) on delete cascade
);
create index sessions_expiry on sessions (expires_at);
create index sessions_of_key on sessions (tenant_id, key_id);
