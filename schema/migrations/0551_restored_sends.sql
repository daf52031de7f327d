-- Sends that happened after the state that the database was restored to, as the send journal has them: by send key, and by
-- recipient and text. What is listed here is not sent again.
create table restored_sends (
  tenant_id text  collate "C" not null,
  key       bytea not null check (octet_length(key) = 32),
  -- The entry of the journal.
  journal   text  not null,
  primary key (tenant_id, key)
);

alter table restored_sends enable row level security;
create policy engine_all on restored_sends to luci_engine using (true) with check (true);
grant select, insert on restored_sends to luci_engine;
