//! Problems for errors of queries on the read model.

use luci_projections::QuestionError;

use super::Problem;

impl From<QuestionError> for Problem {
    fn from(error: QuestionError) -> Self {
        match error {
            QuestionError::Database(error) => error.into(),
            QuestionError::Log(error) => error.into(),
            // A cursor, offset or sort order that is invalid.
            error => Self::invalid("query", error.to_string()),
        }
    }
}
