-- A sector: a market of the tenant's own (plumbers in New York) that leads are assigned to.
create table sectors (
    tenant_id text collate "C" not null,
    id text collate "C" not null,
    -- The name in addresses and older systems (`ny-construction-plumbers`); ties between sectors go to the lowest.
    slug text collate "C" not null,
    name text not null,
    -- Two letters; null is nationwide.
    state text collate "C" check (state ~ '^[A-Z]{2}$'),
    -- Four-digit codes, or prefixes of at least two digits.
    sic_codes text[] not null default '{}',
    -- The bucket that the older platform kept this sector's leads in.
    legacy_bucket_id text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, slug)
);
