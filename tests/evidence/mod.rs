//! Evidence that an owner of files and database cannot bend: random changes of bundles and of the log are named.

mod bundles;
mod changes;
mod database;
mod fixture;
mod python;
