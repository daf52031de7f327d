//! The command line as people use it: what it prints, in which format, and with which exit code.

mod instances;
mod journey;
mod mistakes;
mod picture;
mod uploads;
