-- A lead with its score and sector is 1.5 to 2.5 kB of JSON. Above 2 kB Postgres would compress each version of it and look
-- for another place; kept in the row, a block's leads are written in a third of the time.
alter table leads set (toast_tuple_target = 8160);
