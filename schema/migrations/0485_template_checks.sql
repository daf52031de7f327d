-- The newest text of a template, so that an object that was changed behind our back is told from ours.
alter table templates
    -- SHA-256 (lower hex) of the current version's text.
    add column checksum text collate "C",
    add column created_by text;

create index templates_newest on templates (tenant_id, id desc) where archived_at is null;
