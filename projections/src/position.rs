//! The position that the read tables reflect: the projector's checkpoint.

use luci_schema::{Position, log};
use sqlx::PgConnection;

use crate::query_error::QuestionError;

/// The projector's name in `log.followers`.
pub const FOLLOWER: &str = "projector";

/// A position that the read tables have reached. Query it before the rows: rows that are read after it are not older.
pub async fn current(c: &mut PgConnection) -> Result<Position, QuestionError> {
    Ok(log::follower_position(c, FOLLOWER).await?)
}
