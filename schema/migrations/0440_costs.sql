-- Who paid for an answer: the release of a block, named by the artifact id that its `block:queued` fixed. Its report counts
-- the answer, and no other does. Unknown of answers that are older than this column.
alter table provider_results add column paid_by text collate "C";
-- What other blocks of the lineage paid for the same answer while the first was on its way.
alter table provider_results add column paid_again_micros bigint not null default 0 check (paid_again_micros >= 0);

-- List prices. A later price is a new row; nothing is changed that a run may have pinned.
insert into provider_prices (provider, operation, valid_from, price_micros) values
    ('apollo',      'person_match',   '2024-12-01 00:00:00+00', 100000),
    ('apollo',      'company',        '2024-12-01 00:00:00+00',  50000),
    ('apollo',      'search',         '2024-12-01 00:00:00+00',  20000),
    ('realestate',  'match',          '2024-12-01 00:00:00+00', 100000),
    ('tracerfy',    'normal_trace',   '2024-12-01 00:00:00+00',  20000),
    ('tracerfy',    'enhanced_trace', '2024-12-01 00:00:00+00', 300000),
    ('trestle',     'phone',          '2024-12-01 00:00:00+00',  15000),
    ('trestle',     'real_contact',   '2024-12-01 00:00:00+00',  30000),
    ('signalhouse', 'sms_segment',    '2024-12-01 00:00:00+00',  15000)
on conflict do nothing;
