-- Sends that happened after the state that the database was restored to, as the send journal has them. What is listed here is
-- not sent again.
create table restored_sends (
  tenant_id text        collate "C" not null,
  -- The entry of the journal.
  journal   text        collate "C" not null,
  -- SHA-256, as the queues' send key; and without the campaign.
  send_key  bytea       not null check (octet_length(send_key) = 32),
  contact   bytea       not null check (octet_length(contact) = 32),
  sent_at   timestamptz not null,
  primary key (tenant_id, journal)
);
create index restored_sends_by_key on restored_sends (tenant_id, send_key);
create index restored_sends_by_contact on restored_sends (tenant_id, contact);

alter table restored_sends enable row level security;
create policy engine_all on restored_sends to luci_engine using (true) with check (true);
grant select, insert on restored_sends to luci_engine;
