-- What a person looks at often: a page of the dashboard with its filters, as the query of its address. Not part of the history:
-- a view changes nothing that is done with leads.
create table saved_views (
    tenant_id  text collate "C" not null references tenants (id),
    id         text collate "C" not null,
    -- Who saved it: each person has a key.
    key_id     text collate "C" not null,
    name       text not null check (length(name) between 1 and 80),
    -- `runs`: the page.
    page       text not null check (length(page) between 1 and 40),
    -- `status=failed&sort=cost`
    query      text not null check (length(query) <= 2000),
    shared     boolean not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (tenant_id, id),
    unique (tenant_id, key_id, page, name)
);

alter table saved_views enable row level security;
create policy tenant_reads on saved_views for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on saved_views to luci_engine using (true) with check (true);
grant select, insert, update, delete on saved_views to luci_engine;
grant select on saved_views to luci_gateway, luci_auditor;
