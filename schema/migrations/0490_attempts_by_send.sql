-- An attempt has the ULID of the message or call that it is about, so that it is found from there by its primary key: one
-- index less for each row of the largest table of an import. Those that the clock made for retargets had one of their own.
update attempt_logs set id = 'att_' || split_part(queue_id, '_', 2) where id <> 'att_' || split_part(queue_id, '_', 2);
drop index attempt_logs_by_queue;
