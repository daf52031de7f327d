-- A row of the dialer queue goes with the person, and its extension with it.
insert into personal_data (table_name, column_name, treatment) values ('dialer_queue', 'extension', 'deleted');
