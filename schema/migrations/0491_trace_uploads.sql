-- An upload is noted before it is made: without a queue's number it may have been taken, and is looked for before it is made
-- again, since each is paid for.
alter table trace_queues alter column queue drop not null;
-- Rows that were uploaded, by which the provider's list is looked through.
alter table trace_queues add column rows integer not null default 0;
create index trace_queues_by_queue on trace_queues (queue) where queue is not null;
