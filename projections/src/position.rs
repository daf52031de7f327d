//! How far the read model is: the projector's checkpoint, as every answer names it.

use std::time::Duration;

use luci_schema::{Position, log};
use sqlx::{PgConnection, PgPool};
use tokio::{sync::watch, time::Instant};

use crate::{FOLLOWER, QuestionError};

/// Between two looks at the checkpoint of a projector in another process.
const LOOK: Duration = Duration::from_millis(20);

/// The position that the read tables reflect at least. Ask before reading rows: what is read then is not older.
pub async fn current(c: &mut PgConnection) -> Result<Position, QuestionError> {
    Ok(log::follower_position(c, FOLLOWER).await?)
}

/// Waits until the read model has `wanted`, or the time is over; answers how far it is then. `here` tells of a projector
/// in this process at once; one elsewhere is asked after every 20 ms.
pub async fn reach(
    pool: &PgPool,
    here: Option<&watch::Receiver<Position>>,
    wanted: Position,
    at_most: Duration,
) -> Result<Position, QuestionError> {
    let until = Instant::now() + at_most;
    let mut here = here.cloned();
    loop {
        let seen = here.as_mut().map_or(Position(0), |seen| *seen.borrow_and_update());
        let reached = if seen >= wanted { seen } else { current(&mut *pool.acquire().await?).await? };
        if reached >= wanted || Instant::now() >= until {
            return Ok(reached);
        }
        let pause = tokio::time::sleep_until(until.min(Instant::now() + LOOK));
        match &mut here {
            Some(seen) => tokio::select! {
                changed = seen.changed() => if changed.is_err() { here = None },
                () = pause => {}
            },
            None => pause.await,
        }
    }
}
