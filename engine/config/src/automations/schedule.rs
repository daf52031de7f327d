//! When a schedule is due: a 5-field cron expression on the wall clock of an IANA zone.
//!
//! Where the clocks go forward, a time that does not exist is due at the first moment after the gap. Where they go back, a
//! fixed time is due once, at its first occurrence; hourly and other repeating patterns go on through both.

use croner::{
    Cron,
    parser::{CronParser, Seconds, Year},
};
use jiff::{Timestamp, tz::TimeZone};
use luci_schema::Micros;

/// A parsed schedule.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: TimeZone,
}

/// The field that is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadSchedule {
    pub field: &'static str,
    pub reason: String,
}

impl Schedule {
    pub fn parse(cron: &str, zone: &str) -> Result<Self, BadSchedule> {
        let bad = |field, reason: String| BadSchedule { field, reason };
        if cron.split_whitespace().count() != 5 {
            let reason = "expected five fields: minute, hour, day of month, month, day of week";
            return Err(bad("cron", reason.into()));
        }
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = parser.parse(cron).map_err(|error| bad("cron", error.to_string()))?;
        let zone = TimeZone::get(zone).map_err(|_| bad("timeZone", format!("`{zone}` is not an IANA time zone")))?;
        Ok(Self { cron, zone })
    }

    /// The first due time after a moment; `None` when there is none (31 February).
    pub fn next(&self, after: Micros) -> Option<Micros> {
        let after = Timestamp::from_microsecond(after.0).ok()?.to_zoned(self.zone.clone());
        let next = self.cron.find_next_occurrence(&after, false).ok()?;
        Some(Micros(next.timestamp().as_microsecond()))
    }

    /// The latest due time at or before a moment.
    pub fn last(&self, now: Micros) -> Option<Micros> {
        let now = Timestamp::from_microsecond(now.0).ok()?.to_zoned(self.zone.clone());
        let last = self.cron.find_previous_occurrence(&now, true).ok()?;
        Some(Micros(last.timestamp().as_microsecond()))
    }
}

#[cfg(test)]
mod tests {
    use time::{OffsetDateTime, format_description::well_known::Rfc3339};

    use super::*;

    fn at(text: &str) -> Micros {
        OffsetDateTime::parse(text, &Rfc3339).unwrap().into()
    }

    /// Cron, zone, from when, and the due times that follow (all UTC).
    const TABLE: &[(&str, &str, &str, &[&str])] = &[
        // 9 March 2025: 02:00 EST becomes 03:00 EDT.
        ("30 2 * * *", "America/New_York", "2025-03-08T12:00:00Z", &["2025-03-09T07:00:00Z", "2025-03-10T06:30:00Z"]),
        ("30 1 * * *", "America/New_York", "2025-03-08T12:00:00Z", &["2025-03-09T06:30:00Z", "2025-03-10T05:30:00Z"]),
        ("0 9 * * *", "America/New_York", "2025-03-08T12:00:00Z", &["2025-03-08T14:00:00Z", "2025-03-09T13:00:00Z"]),
        (
            "0 * * * *",
            "America/New_York",
            "2025-03-09T05:30:00Z",
            &["2025-03-09T06:00:00Z", "2025-03-09T07:00:00Z", "2025-03-09T08:00:00Z"],
        ),
        // 2 November 2025: 02:00 EDT becomes 01:00 EST.
        ("30 1 * * *", "America/New_York", "2025-11-01T12:00:00Z", &["2025-11-02T05:30:00Z", "2025-11-03T06:30:00Z"]),
        ("30 2 * * *", "America/New_York", "2025-11-01T12:00:00Z", &["2025-11-02T07:30:00Z", "2025-11-03T07:30:00Z"]),
        (
            "0 * * * *",
            "America/New_York",
            "2025-11-02T04:30:00Z",
            &["2025-11-02T05:00:00Z", "2025-11-02T06:00:00Z", "2025-11-02T07:00:00Z"],
        ),
        (
            "*/30 * * * *",
            "America/New_York",
            "2025-11-02T05:10:00Z",
            &["2025-11-02T05:30:00Z", "2025-11-02T06:00:00Z", "2025-11-02T06:30:00Z", "2025-11-02T07:00:00Z"],
        ),
        // 30 March and 26 October 2025: 01:00 GMT becomes 02:00 BST, and back.
        ("30 1 * * *", "Europe/London", "2025-03-29T12:00:00Z", &["2025-03-30T01:00:00Z", "2025-03-31T00:30:00Z"]),
        ("30 1 * * *", "Europe/London", "2025-10-25T12:00:00Z", &["2025-10-26T00:30:00Z", "2025-10-27T01:30:00Z"]),
        // 5 October and 6 April 2025: half an hour only, 02:00 becomes 02:30, and 02:00 becomes 01:30.
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2025-10-04T00:00:00Z",
            &["2025-10-04T15:30:00Z", "2025-10-05T15:15:00Z"],
        ),
        (
            "45 1 * * *",
            "Australia/Lord_Howe",
            "2025-04-05T00:00:00Z",
            &["2025-04-05T14:45:00Z", "2025-04-06T15:15:00Z"],
        ),
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2025-04-05T00:00:00Z",
            &["2025-04-05T15:45:00Z", "2025-04-06T15:45:00Z"],
        ),
        ("0 0 29 2 *", "UTC", "2025-01-01T00:00:00Z", &["2028-02-29T00:00:00Z"]),
    ];

    #[test]
    fn due_times_where_the_clocks_change() {
        for (cron, zone, from, dues) in TABLE {
            let schedule = Schedule::parse(cron, zone).unwrap();
            let found = std::iter::successors(schedule.next(at(from)), |due| schedule.next(*due));
            let found: Vec<String> = found.take(dues.len()).map(Micros::rfc3339).collect();
            assert_eq!(found, *dues, "{cron} {zone} from {from}");
            let newest = at(dues[dues.len() - 1]);
            assert_eq!(schedule.last(newest), Some(newest), "{cron} {zone} looked at from its end");
        }
    }

    #[test]
    fn invalid_schedules_name_their_field() {
        for (cron, zone, field) in [
            ("* * * * * *", "UTC", "cron"),
            ("@daily", "UTC", "cron"),
            ("61 * * * *", "UTC", "cron"),
            ("a b c d e", "UTC", "cron"),
            ("", "UTC", "cron"),
            ("0 9 * * *", "Mars/Olympus", "timeZone"),
            ("0 9 * * *", "", "timeZone"),
        ] {
            assert_eq!(Schedule::parse(cron, zone).unwrap_err().field, field, "{cron} {zone}");
        }
        assert_eq!(Schedule::parse("0 0 31 2 *", "UTC").unwrap().next(Micros(0)), None);
    }
}
