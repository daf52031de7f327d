//! Times and days in requests.

use luci_schema::Micros;
use time::{
    Date, OffsetDateTime,
    format_description::well_known::{Iso8601, Rfc3339},
};

/// Microseconds from 1970 to the end of the year 9999: what the database can hold on either side of 1970.
const MAX_MICROS: u64 = 253_402_300_800_000_000;

/// `2026-11-22T20:54:01Z`, or `2026-11-22` for its midnight UTC.
pub fn parse_date(text: &str) -> Option<OffsetDateTime> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok();
    let at = at.or_else(|| Date::parse(text, &Iso8601::DATE).ok().map(|day| day.midnight().assume_utc()))?;
    (Micros::from(at).0.unsigned_abs() < MAX_MICROS).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::parse_date;

    #[test]
    fn days_and_times_are_dates() {
        assert_eq!(parse_date("2026-11-22").unwrap().unix_timestamp(), 1_795_305_600);
        assert_eq!(parse_date("2026-11-22T00:00:01Z").unwrap().unix_timestamp(), 1_795_305_601);
        assert!(parse_date("yesterday").is_none());
    }
}
