//! How far the read model is: the projector's checkpoint, as every answer names it.

use luci_schema::{Position, log};
use sqlx::PgConnection;

use crate::{FOLLOWER, QuestionError};

/// The position that the read tables reflect at least. Ask before reading rows: what is read then is not older.
pub async fn current(c: &mut PgConnection) -> Result<Position, QuestionError> {
    Ok(log::follower_position(c, FOLLOWER).await?)
}
