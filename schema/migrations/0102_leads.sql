-- A lead: one row of an import that passed VALIDATE. Its id derives from the input and the row, so writing it twice is writing it once.
create table leads (
    tenant_id text collate "C" not null,
    id text collate "C" not null,
    -- The import (or sector) at the root of the lineage that first brought it, and its row there, from 1.
    root_input_id text collate "C" not null,
    row_number bigint not null,
    -- `dnc` is terminal and set by an opt-out.
    status text not null default 'new' check (status in ('new', 'contacted', 'qualified', 'converted', 'dnc')),
    enrichment_status text not null default 'pending'
        check (enrichment_status in ('pending', 'in_progress', 'completed', 'failed')),
    -- What lists are filtered and shown by; the whole lead is in `data`.
    company_name text,
    contact_name text,
    email text,
    phone text,
    state text,
    sic_code text,
    sector_id text collate "C",
    score smallint check (score between 0 and 100),
    priority text check (priority in ('high', 'medium', 'low')),
    tags text[] not null default '{}',
    -- The lead as it stands in artifacts; json, not jsonb: it is written and read whole, never searched.
    data json not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id),
    foreign key (tenant_id, sector_id) references sectors (tenant_id, id)
) with (fillfactor = 70);

-- The members of a sector in lead-id order: what a run from a sector reads.
create index leads_by_sector on leads (tenant_id, sector_id, id) where sector_id is not null;
