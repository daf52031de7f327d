-- Whom the tenant must not write to or call. Asked when a send is queued and again when it is sent.
create table suppressions (
    tenant_id text collate "C" not null,
    -- `phone` (E.164) or `email` (lower case).
    kind text not null check (kind in ('phone', 'email')),
    value text collate "C" not null,
    -- OPT_OUT, LEGAL_DNC and LITIGATOR are for ever; the others can be reviewed.
    reason text not null check (reason in
        ('OPT_OUT', 'LEGAL_DNC', 'LITIGATOR', 'BLACKLIST', 'WRONG_NUMBER', 'INVALID_PHONE', 'COMPLIANCE_HOLD')),
    -- What it came from: a message, a file, a person.
    source text,
    expires_at timestamptz,
    created_at timestamptz not null default now(),
    primary key (tenant_id, kind, value),
    check (expires_at is null or reason not in ('OPT_OUT', 'LEGAL_DNC', 'LITIGATOR'))
);
