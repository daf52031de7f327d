-- How an uploaded file is read: decided once when it is counted, and used by every block.
alter table imports
    -- Encoding, delimiter, header and the field of each column. Null: a list of leads, or counted by an earlier version.
    add column layout jsonb,
    -- What a person checks before a run: columns with samples, decoded cells, refused rows. It holds personal data.
    add column preview jsonb,
    -- Set when a run takes the import as its input; from then on its layout does not change.
    add column layout_fixed_at timestamptz;

-- The tenant's own mapping: header to field, used where a file has these headers.
create table import_mappings (
    tenant_id text collate "C" primary key references tenants (id),
    mapping jsonb not null,
    updated_at timestamptz not null default now()
);

alter table import_mappings enable row level security;
create policy tenant_reads on import_mappings for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on import_mappings to luci_engine using (true) with check (true);
grant select, insert, update, delete on import_mappings to luci_engine;
grant select on import_mappings to luci_gateway, luci_auditor;
