-- Uploads are put to a staging key, which the client can write until its URL expires, and copied to their own key once.
alter table imports
    -- False: the object was never at a staging key (an import of one call, or one that an earlier version announced).
    add column staged boolean not null default false,
    -- When the sweeper removed the staging object, after the URL had expired; a client may put to it until then.
    add column staging_removed_at timestamptz;

-- What the sweeper looks for.
create index imports_staged on imports (created_at) where staged and staging_removed_at is null;
