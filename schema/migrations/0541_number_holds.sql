-- Messages that may be an opt-out. Nothing is sent to their numbers until a person has released or suppressed them.
create table number_holds (
    tenant_id   text collate "C" not null references tenants (id),
    -- The delivery of the message.
    webhook_id  text collate "C" not null,
    -- E.164
    number      text collate "C" not null,
    lead_id     text collate "C",
    -- What the person who decides reads.
    body        text not null,
    rule        text not null,
    created_at  timestamptz not null default now(),
    -- Null: still on hold.
    decision    text check (decision in ('released', 'suppressed')),
    decided_by  text,
    decided_at  timestamptz,
    primary key (tenant_id, webhook_id, number)
);
-- The sender asks for each number; the review list is short.
create index number_holds_open on number_holds (tenant_id, number) where decision is null;

create function number_on_hold(of_tenant text, of_number text) returns boolean
    language sql stable parallel safe
    return exists (select from number_holds
                    where tenant_id = of_tenant and number = of_number and decision is null);

alter table number_holds enable row level security;
create policy tenant_reads on number_holds for select to luci_gateway, luci_auditor
    using (tenant_id = current_setting('app.tenant_id', true));
create policy engine_all on number_holds to luci_engine using (true) with check (true);
grant select, insert, update, delete on number_holds to luci_engine;
grant select on number_holds to luci_gateway, luci_auditor;
