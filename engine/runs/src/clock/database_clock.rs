//! Postgres' clock, as last measured: due times are compared with it on every machine.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

use luci_schema::Micros;
use sqlx::PgConnection;

/// The offset of Postgres' clock to this process's. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct DatabaseClock {
    offset_micros: Arc<AtomicI64>,
}

impl DatabaseClock {
    pub fn now(&self) -> Micros {
        Micros(Micros::now().0.saturating_add(self.offset_micros.load(Ordering::Relaxed)))
    }

    /// Measures the offset, to half a round trip.
    pub(super) async fn measure(&self, c: &mut PgConnection) -> Result<(), sqlx::Error> {
        let before = Micros::now();
        let database: i64 =
            sqlx::query_scalar("select (extract(epoch from clock_timestamp()) * 1000000)::bigint").fetch_one(c).await?;
        let after = Micros::now();
        self.offset_micros.store(database - (before.0 + after.0) / 2, Ordering::Relaxed);
        Ok(())
    }
}
