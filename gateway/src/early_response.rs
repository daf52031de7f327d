//! What ends a handler early: a problem, or the response of a command that was executed before.

use warp::reply::Response;

use crate::problem::Problem;

/// `?` in a handler makes one of every error that is a problem.
#[derive(Debug)]
pub enum EarlyResponse {
    Problem(Problem),
    /// Of the receipt of the same command.
    Replay(Box<Response>),
}

impl<E> From<E> for EarlyResponse
where
    Problem: From<E>,
{
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

impl EarlyResponse {
    pub fn into_response(self, request_id: &str) -> Response {
        match self {
            Self::Problem(problem) => problem.into_response(request_id),
            Self::Replay(response) => *response,
        }
    }
}
