-- Which rule made a suppression, and the delivery that it came from. An admin may lift what a rule of our own made, never what
-- the carrier or a keyword made; without an origin it is from before this was recorded.
alter table suppressions
    add column origin text check (origin in ('carrier', 'keyword', 'rule', 'person')),
    -- `carrier:21610`, `keyword:stop`, `request:lose my number`: words of the tables, none of the message.
    add column rule text,
    add column webhook_id text collate "C";
