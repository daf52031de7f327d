//! Times and days in requests: one grammar for query parameters and bodies.

use luci_schema::Micros;
use time::{Date, Duration, OffsetDateTime, format_description::well_known::Rfc3339, macros::format_description};

/// Microseconds from 1970 to the end of the year 9999: what the database can hold on either side of 1970.
const MAX_MICROS: u64 = 253_402_300_800_000_000;

/// What a request's time must be, for problems.
pub const TIME_HINT: &str = "a time with its zone (RFC 3339: `2026-11-22T20:54:01Z` or `2026-11-22T22:54:01+02:00`) or a day (`2026-11-22`, UTC)";

/// An instant, or a day for its first instant (UTC). A time without a zone is refused: it would be another instant for each
/// reader.
pub fn parse_time(text: &str) -> Option<OffsetDateTime> {
    instant(text).or_else(|| day(text)).and_then(within_range)
}

/// The exclusive end of a range: an instant, or a day for the end of that day (UTC).
pub fn parse_end(text: &str) -> Option<OffsetDateTime> {
    instant(text).or_else(|| day(text)?.checked_add(Duration::DAY)).and_then(within_range)
}

fn instant(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

fn day(text: &str) -> Option<OffsetDateTime> {
    let day = Date::parse(text, format_description!("[year]-[month]-[day]")).ok()?;
    Some(day.midnight().assume_utc())
}

fn within_range(at: OffsetDateTime) -> Option<OffsetDateTime> {
    (Micros::from(at).0.unsigned_abs() < MAX_MICROS).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_times_are_instants() {
        let unix = |text| parse_time(text).map(OffsetDateTime::unix_timestamp);
        assert_eq!(unix("2026-11-22"), Some(1_795_305_600));
        assert_eq!(unix("2026-11-22T00:00:01Z"), Some(1_795_305_601));
        assert_eq!(unix("2026-11-22T02:00:01+02:00"), Some(1_795_305_601));
        assert_eq!(unix("2026-11-22T02:00:01.5+02:00"), Some(1_795_305_601));
    }

    #[test]
    fn what_would_lose_its_time_of_day_or_zone_is_refused() {
        for text in [
            "yesterday",
            "",
            "2026-11-22T20:54:01",
            "2026-11-22 20:54:01",
            "2026-11-22T20:54:01+0200",
            "2026-11-22T20:54Z",
            "2026-11-22T20",
            "2026-11-22Z",
            "20261122",
            "2026-W47-7",
            "2026-327",
            "2026-11-31",
            "2026-1-2",
            " 2026-11-22",
            "2026-11-22 ",
            "1795305600",
        ] {
            assert_eq!((parse_time(text), parse_end(text)), (None, None), "{text:?}");
        }
    }

    #[test]
    fn a_day_as_an_end_includes_that_day() {
        assert_eq!(parse_end("2026-11-22"), parse_time("2026-11-23"));
        assert_eq!(parse_end("2026-11-22T10:00:00Z"), parse_time("2026-11-22T10:00:00Z"));
        assert_eq!(parse_end("9999-12-31"), None, "the database has no day after it");
    }
}
