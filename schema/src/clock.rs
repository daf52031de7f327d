//! Time: microseconds since 1970 UTC, as hashed and stored. The pure core never reads the clock; time is passed to it.
//!
//! Every process uses Postgres' clock: due times, retries and expiries would differ between machines otherwise. The
//! process's own clock is read, and the difference to Postgres' added, which `Log` measures at its start and every minute.

use std::sync::atomic::{AtomicI64, Ordering};

use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// What is added to this process's clock, in microseconds.
static SKEW: AtomicI64 = AtomicI64::new(0);
/// A difference within this is not corrected: a measurement is not more exact, and time must not jump at each.
const TOLERATED_MICROS: i64 = 50_000;
/// A difference beyond this is a fault of the machine that an operator should know of.
const ALARMING_MICROS: i64 = 5_000_000;

/// Microseconds since the Unix epoch, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Micros(pub i64);

impl Micros {
    /// Now, by Postgres' clock once a `Log` is open in this process.
    pub fn now() -> Self {
        Self(Self::of_this_machine().0.saturating_add(SKEW.load(Ordering::Relaxed)))
    }

    /// The only read of the wall clock.
    #[allow(clippy::disallowed_methods)]
    fn of_this_machine() -> Self {
        let nanos = OffsetDateTime::now_utc().unix_timestamp_nanos();
        Self(i64::try_from(nanos / 1_000).unwrap_or(i64::MAX))
    }

    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// As a date and time; values outside year ±9999 are clamped to the epoch.
    pub fn date_time(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// `2026-11-22T20:54:01.000123Z`
    pub fn rfc3339(self) -> String {
        self.date_time().format(&Rfc3339).unwrap_or_default()
    }

    /// `2026-11-22`, as in object keys.
    pub fn date(self) -> String {
        self.date_time().date().to_string()
    }

    pub fn plus_millis(self, millis: i64) -> Self {
        Self(self.0.saturating_add(millis.saturating_mul(1_000)))
    }
}

impl From<OffsetDateTime> for Micros {
    fn from(at: OffsetDateTime) -> Self {
        Self(i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX))
    }
}

/// How far Postgres' clock is ahead of this machine's, as last measured, in microseconds.
pub fn skew_micros() -> i64 {
    SKEW.load(Ordering::Relaxed)
}

/// Measures the difference of Postgres' clock to this machine's, and uses Postgres' from now on.
pub(crate) async fn follow_database(c: &mut PgConnection) -> Result<(), sqlx::Error> {
    let before = Micros::of_this_machine();
    let database: i64 =
        sqlx::query_scalar("select (extract(epoch from clock_timestamp()) * 1000000)::bigint").fetch_one(c).await?;
    let after = Micros::of_this_machine();
    let skew = corrected(skew_micros(), difference(before, Micros(database), after));
    if skew.abs() > ALARMING_MICROS && skew_micros() != skew {
        tracing::error!(
            seconds = skew / 1_000_000,
            "clock of this machine differs from Postgres', using Postgres' clock"
        );
    }
    SKEW.store(skew, Ordering::Relaxed);
    metrics::gauge!("luci_clock_skew_seconds").set(skew as f64 / 1e6);
    Ok(())
}

/// Exact to half the round trip.
fn difference(before: Micros, database: Micros, after: Micros) -> i64 {
    database.0 - (before.0 + (after.0 - before.0) / 2)
}

/// The difference to use, after one that was in use.
fn corrected(used: i64, measured: i64) -> i64 {
    if (measured - used).abs() <= TOLERATED_MICROS { used } else { measured }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_machine_goes_by_the_database_and_noise_changes_nothing() {
        let hour = 3_600_000_000;
        let measured = difference(Micros(1_000), Micros(hour + 1_500), Micros(2_000));
        assert_eq!(measured, hour);
        assert_eq!(corrected(0, measured), hour);
        assert_eq!(corrected(hour, hour + 20_000), hour);
        assert_eq!(corrected(hour, 0), 0, "the machine's clock was put right");
        assert_eq!(corrected(0, -30_000), 0);
    }
}
