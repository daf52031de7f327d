-- What a command from outside was answered, so that the same command again is answered alike and changes nothing.
-- Written in the append itself. Kept 30 days.
create table log.receipts (
  tenant_id   text collate "C" not null,
  command_id  text collate "C" not null,
  body_digest bytea  not null check (octet_length(body_digest) = 32),  -- same key, other body: the caller's mistake
  outcome     json   not null,                                        -- what the answer is rendered from
  position    bigint not null,                                        -- of the command's last event
  recorded_at timestamptz not null,
  primary key (tenant_id, command_id)
);
create index receipts_time on log.receipts using brin (recorded_at) with (pages_per_range = 32, autosummarize = on);
