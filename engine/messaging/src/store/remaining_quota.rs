//! How many more sends a tenant's limits allow now.

use luci_schema::Micros;
use sqlx::{Row, postgres::PgRow};
use time::OffsetDateTime;

use crate::store::send_settings::SendSettings;

/// What is left of each limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemainingQuota {
    pub today: u32,
    /// Midnight in the tenant's zone, when the daily count starts again; none while the limit is 0.
    pub day_ends: Option<Micros>,
    pub this_hour: u32,
    /// When the hourly limit, if used up, allows the next send; none while the limit is 0.
    pub hour_frees: Option<Micros>,
}

impl RemainingQuota {
    pub const fn is_exhausted(self) -> bool {
        self.today == 0 || self.this_hour == 0
    }

    /// Reads claims since midnight, claims of the last hour, `day_ends`, `hour_frees`.
    pub(super) fn read(row: &PgRow, settings: &SendSettings) -> Result<Self, sqlx::Error> {
        let left = |limit: u32, index: usize| -> Result<u32, sqlx::Error> {
            Ok(limit.saturating_sub(u32::try_from(row.try_get::<i64, _>(index)?).unwrap_or(u32::MAX)))
        };
        Ok(Self {
            today: left(settings.daily_limit, 0)?,
            this_hour: left(settings.hourly_limit, 1)?,
            day_ends: row.try_get::<Option<OffsetDateTime>, _>(2)?.map(Micros::from),
            hour_frees: row.try_get::<Option<OffsetDateTime>, _>(3)?.map(Micros::from),
        })
    }
}
