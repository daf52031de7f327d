-- Credentials. The secret is 256 random bits, shown once; only its SHA-256 is stored, which needs no slow hash.
create table api_keys (
    tenant_id     text collate "C" not null references tenants (id),
    id            text collate "C" not null,
    actor_id      text collate "C" not null,
    name          text not null default '' check (length(name) <= 200),
    secret_hash   bytea not null unique check (length(secret_hash) = 32),
    -- The first characters of the secret, so that a person can tell keys apart.
    prefix        text collate "C" not null,
    role          text not null check (role in ('viewer', 'auditor', 'member', 'admin', 'owner')),
    -- Operations the key is narrowed to (`runs`, `uploads`, `keys` …); empty = all that the role allows.
    scopes        text[] not null default '{}',
    created_at    timestamptz not null default now(),
    expires_at    timestamptz,
    revoked_at    timestamptz,
    -- Written at most once a minute.
    last_used_at  timestamptz,
    primary key (tenant_id, id),
    foreign key (tenant_id, actor_id) references actors (tenant_id, id)
);
create index api_keys_newest on api_keys (tenant_id, id desc);
