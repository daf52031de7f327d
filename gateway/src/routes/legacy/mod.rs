//! Routes of the older platform with their old methods, fields and reply keys: uploads, buckets and objects.

mod bucket_status;
pub mod datalake_import;
mod form;
pub mod get_object;
pub mod property_bucket;
mod receive;
mod sector_of;
pub mod sector_status;
pub mod sector_upload;
mod store_run;
mod stored_upload;

use http::StatusCode;

use crate::problem::Problem;

/// 400 with the fields and what was expected: the routes of the older platform answer a bad request with it.
fn bad_fields(errors: Vec<(String, String)>) -> Problem {
    Problem::invalid_fields(errors).with_status(StatusCode::BAD_REQUEST)
}

fn bad_field(field: &str, expected: impl Into<String>) -> Problem {
    bad_fields(vec![(field.to_owned(), expected.into())])
}

/// The status that the older platform gave: 400 where LUCI has 422.
fn with_old_status(problem: Problem) -> Problem {
    if problem.status() == StatusCode::UNPROCESSABLE_ENTITY {
        problem.with_status(StatusCode::BAD_REQUEST)
    } else {
        problem
    }
}
