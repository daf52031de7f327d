//! Routes of retention: how long objects are kept, and what that would remove now.

pub mod get;
pub mod report;
pub mod set;

use luci_stages::retention::RetentionError;

use crate::problem::Problem;

fn problem(error: RetentionError) -> Problem {
    match error {
        RetentionError::Admin(error) => error.into(),
        RetentionError::Storage(error) => error.into(),
        RetentionError::Log(error) => error.into(),
        RetentionError::Database(error) => error.into(),
        error @ RetentionError::Objects(_) => Problem::internal(&error),
    }
}
