-- Roles, users and the database of LUCI on a shared Postgres: once for each server, as its superuser.
--   psql -v owner_password=… -v login_password=… -v backup_password=… -f roles.sql
-- `luci migrate` creates missing roles by itself, but from PostgreSQL 16 on a user that is not a superuser may then not use
-- the roles it has created. With this file neither `migrate` nor the processes need more rights than they have here.
\set ON_ERROR_STOP on

create role luci_engine nologin;
create role luci_projector nologin;
create role luci_gateway nologin;
create role luci_auditor nologin;
-- What the logins of `luci auditor create` have in common; that command needs a user that may create roles.
create role luci_sql_auditor nologin;

-- `luci migrate`: owns the database. It reads which session blocks the log, for a function that the processes call.
create role luci_owner login password :'owner_password';
grant luci_engine, luci_projector, luci_gateway, luci_auditor, pg_read_all_stats to luci_owner;

-- `luci serve` and `luci tenant create`: takes one of the four roles in each connection. It cannot change a table.
create role luci login password :'login_password';
grant luci_engine, luci_projector, luci_gateway, luci_auditor to luci;

-- `luci backup`: reads every row of every tenant.
create role luci_backup login bypassrls password :'backup_password';
grant pg_read_all_data to luci_backup;

-- Text compares byte by byte (collation C): the log and the read tables order it so.
create database luci owner luci_owner template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8';
revoke all on database luci from public;
grant connect, temporary on database luci to luci, luci_backup;
