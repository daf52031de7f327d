-- The read tables exist twice, in schemas read_a and read_b; views of the plain names in public show the one that
-- serves. So a rebuild folds the log into the other one and the views change over in one transaction.
create schema read_a authorization luci_projector;
create schema read_b authorization luci_projector;
grant usage on schema read_a, read_b to luci_gateway, luci_auditor, luci_engine;

create table read_versions (
    version  text    collate "C" primary key check (version in ('read_a', 'read_b')),
    serving  boolean not null,
    -- How far a rebuild has folded this version. The serving one's position is the projector's checkpoint.
    position bigint  not null default 0
);
create unique index read_versions_one_serves on read_versions (serving) where serving;
insert into read_versions (version, serving) values ('read_a', true), ('read_b', false);
grant select, update on read_versions to luci_projector;

-- The version to write to. The shared lock is held to the end of the transaction: a swap takes it alone, so no batch is
-- ever written to a version that has just stopped serving. In plpgsql the second statement sees what the lock waited for.
create function read_serving() returns text language plpgsql volatile as $$
begin
    perform pg_advisory_xact_lock_shared(7305804402);
    return (select version from public.read_versions where serving);
end
$$;
