//! When a message or call may go: the tenant's window, days and holidays, within 08:00 to 21:00, in every zone where the
//! recipient may be. Clocks come from the time zone database that schedules use, too.

use std::sync::LazyLock;

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, DateTime, Time, Weekday},
    tz::{self, TimeZone},
};
use luci_schema::Micros;

/// No message is sent before this hour or from this hour on, whatever the tenant's window says (47 CFR 64.1200(c)(1)).
const LAWFUL: (Time, Time) = (Time::constant(8, 0, 0, 0), Time::constant(21, 0, 0, 0));
/// How far ahead an opening is searched.
const MAX_DAYS: i64 = 40;

/// Every zone of the database, for the question which are open now.
static ZONES: LazyLock<Vec<(String, TimeZone)>> = LazyLock::new(|| {
    let names = tz::db().available().map(|name| name.to_string());
    names.filter_map(|name| TimeZone::get(&name).ok().map(|zone| (name, zone))).collect()
});

/// A tenant's window, local to the recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendWindow {
    pub from: Time,
    /// The first moment at which it is closed.
    pub to: Time,
    /// ISO days of the week, 1 is Monday.
    pub days: Vec<u8>,
    pub holidays: Vec<Date>,
    /// Whether the holidays of the federal government (5 U.S.C. 6103) are holidays.
    pub federal_holidays: bool,
}

impl SendWindow {
    fn hours(&self) -> (Time, Time) {
        (self.from.max(LAWFUL.0), self.to.min(LAWFUL.1))
    }

    fn allows_day(&self, date: Date) -> bool {
        let day = u8::try_from(date.weekday().to_monday_one_offset()).unwrap_or(0);
        self.days.contains(&day)
            && !self.holidays.contains(&date)
            && !(self.federal_holidays && is_federal_holiday(date))
    }

    fn open_at(&self, local: DateTime) -> bool {
        let (from, to) = self.hours();
        (from..to).contains(&local.time()) && self.allows_day(local.date())
    }

    /// Whether it is open in all of the zones. A zone that is unknown is closed.
    pub fn open(&self, now: Micros, zones: &[impl AsRef<str>]) -> bool {
        !zones.is_empty()
            && zones.iter().all(|zone| {
                let zone = TimeZone::get(zone.as_ref()).ok();
                zone.and_then(|zone| local(now, &zone)).is_some_and(|local| self.open_at(local))
            })
    }

    /// Names of all zones in which it is open.
    pub fn open_zones(&self, now: Micros) -> Vec<&'static str> {
        let open = |zone: &TimeZone| local(now, zone).is_some_and(|local| self.open_at(local));
        ZONES.iter().filter(|(_, zone)| open(zone)).map(|(name, _)| name.as_str()).collect()
    }

    /// The first moment from `now` on at which it is open in all of the zones; none within the next forty days.
    pub fn next(&self, now: Micros, zones: &[impl AsRef<str>]) -> Option<Micros> {
        if self.open(now, zones) {
            return Some(now);
        }
        let openings = zones.iter().flat_map(|zone| self.openings(now, zone.as_ref()));
        let mut openings: Vec<Micros> = openings.filter(|opening| *opening > now).collect();
        openings.sort_unstable();
        openings.into_iter().find(|opening| self.open(*opening, zones))
    }

    /// When it opens on each of the next days in a zone.
    fn openings(&self, now: Micros, zone: &str) -> Vec<Micros> {
        let Ok(zone) = TimeZone::get(zone) else { return Vec::new() };
        let Some(today) = local(now, &zone).map(DateTime::date) else { return Vec::new() };
        let days = (-1..MAX_DAYS).filter_map(|ahead| today.checked_add(ahead.days()).ok());
        let opens = days.filter(|date| self.allows_day(*date)).filter_map(|date| {
            let opens = zone.to_ambiguous_zoned(date.to_datetime(self.hours().0)).compatible().ok()?;
            Some(Micros(opens.timestamp().as_microsecond()))
        });
        opens.collect()
    }
}

fn local(at: Micros, zone: &TimeZone) -> Option<DateTime> {
    Timestamp::from_microsecond(at.0).ok().map(|at| zone.to_datetime(at))
}

/// The first and the last moment of the day in a zone that is `at`; none for an unknown zone.
pub fn day_of(at: Micros, zone: &str) -> Option<(Micros, Micros)> {
    let zone = TimeZone::get(zone).ok()?;
    let date = local(at, &zone)?.date();
    let midnight = |date: Date| {
        let at = zone.to_ambiguous_zoned(date.to_datetime(Time::midnight())).compatible().ok()?;
        Some(Micros(at.timestamp().as_microsecond()))
    };
    Some((midnight(date)?, midnight(date.tomorrow().ok()?)?))
}

/// Whether the name is of a zone of the database.
pub fn is_zone(name: &str) -> bool {
    TimeZone::get(name).is_ok()
}

/// On its day, and on the weekday on which the government keeps it.
fn is_federal_holiday(date: Date) -> bool {
    let fixed = |date: Date| matches!((date.month(), date.day()), (1, 1) | (6, 19) | (7, 4) | (11, 11) | (12, 25));
    let kept = match date.weekday() {
        Weekday::Friday => date.tomorrow().is_ok_and(fixed),
        Weekday::Monday => date.yesterday().is_ok_and(fixed),
        _ => false,
    };
    let nth = |month, nth, weekday| {
        date.month() == month && date.nth_weekday_of_month(nth, weekday).is_ok_and(|holiday| holiday == date)
    };
    fixed(date)
        || kept
        || nth(1, 3, Weekday::Monday)
        || nth(2, 3, Weekday::Monday)
        || nth(5, -1, Weekday::Monday)
        || nth(9, 1, Weekday::Monday)
        || nth(10, 2, Weekday::Monday)
        || nth(11, 4, Weekday::Thursday)
}

#[cfg(test)]
mod tests;
