-- A restored database has erased people again. `luci restore accept` enters their erasures once more, from the journal in the
-- store, under their old ids.
alter table erasures add column repeated_at timestamptz;
grant select (repeated_at) on erasures to luci_gateway, luci_auditor;
