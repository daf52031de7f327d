-- How often one number gets a message, over all campaigns, and the days on which none goes.
alter table send_settings
    add column weekly_per_number integer not null default 3 check (weekly_per_number >= 0),
    add column monthly_per_number integer not null default 6 check (monthly_per_number >= 0),
    -- The tenant's own; local dates of the recipient.
    add column holidays date[] not null default '{}',
    -- Whether the federal government's holidays are holidays, too.
    add column federal_holidays boolean not null default false;
