-- The carrier's code for which a sender number was paused; null: it is not paused, or failed five times in a row.
alter table sender_numbers add column paused_code text;
