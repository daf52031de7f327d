-- Digits that the carrier dials after the call is answered: the extension that was written beside the number.
alter table dialer_queue
    add column extension text check (extension ~ '^[0-9]{1,8}$');
