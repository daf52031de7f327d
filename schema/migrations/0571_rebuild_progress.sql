-- A rebuild that was cut off: the fold (by its sources) whose events up to `position` are in the version's tables. The same fold
-- goes on from there; another one begins again. Null when no rebuild is unfinished.
alter table read_versions add column rebuilding text collate "C";
