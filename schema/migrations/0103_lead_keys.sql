-- Who holds which dedupe key. Every input that brings a key holds it once, so that a second row of the same file is told
-- from a row of another file; the lead is the same for all holders of a key.
create table lead_keys (
    tenant_id text collate "C" not null,
    -- First 16 bytes of SHA-256 over the kind and the normalised value: no personal data, and a small index.
    key bytea not null check (length(key) = 16),
    root_input_id text collate "C" not null,
    row_number bigint not null,
    lead_id text collate "C" not null,
    -- The key first: Postgres must not take the tenant alone for a good index, which before the first ANALYZE it does.
    primary key (key, tenant_id, root_input_id)
);

-- Erasing a lead finds its keys.
create index lead_keys_by_lead on lead_keys (lead_id, tenant_id);
