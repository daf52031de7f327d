-- The rules of retargets that the run's blueprint had pinned when it made the attempt; drafts of the clock hand them on.
-- The defaults are those of attempts from before they were kept.
alter table attempt_logs
    add column retarget_threshold integer not null default 3 check (retarget_threshold >= 0),
    add column retarget_max integer not null default 5 check (retarget_max >= 0),
    add column retarget_hours integer not null default 48 check (retarget_hours >= 0);
