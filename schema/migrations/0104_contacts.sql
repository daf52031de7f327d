-- A person whom a provider named for a lead; one a provider and lead.
create table contacts (
    tenant_id text collate "C" not null,
    id text collate "C" not null,
    lead_id text collate "C" not null,
    -- `apollo`, `realestate` …
    source text not null,
    -- The provider's own id of the person.
    external_id text,
    first_name text,
    last_name text,
    title text,
    seniority text,
    email text,
    phone text,
    linkedin_url text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, lead_id, source),
    foreign key (tenant_id, lead_id) references leads (tenant_id, id) on delete cascade
);
