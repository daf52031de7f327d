//! Problems for request bodies that are not read.

use super::Problem;
use crate::json_body::JsonError;

impl From<JsonError> for Problem {
    fn from(error: JsonError) -> Self {
        match error {
            JsonError::Syntax { line, column } => {
                Self::bad_request(format!("The body is not JSON (line {line}, column {column})."))
            }
            JsonError::Field { field, reason } => Self::invalid(&field, reason),
        }
    }
}
