//! GET /api/pipelines: the tenant's runs, filtered, sorted, in pages.

use std::{fmt::Display, str::FromStr, sync::Arc};

use luci_projections::runs::{self, RunFilter};
use luci_schema::Micros;
use time::{
    Date, OffsetDateTime,
    format_description::well_known::{Iso8601, Rfc3339},
};

use super::Answer;
use crate::{App, ask::Ask, caller::Caller, problem::Problem, reads::Reading, waiting};

pub async fn list(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let filter = filter(&ask)?;
    let mut reading = Reading::begin(&app, &caller, &ask).await?;
    let mut page = runs::list(&mut reading.tx, caller.tenant, &filter).await?;
    waiting::tell(&app, caller.tenant, page.runs.iter_mut()).await?;
    Ok(reading.answer(&page, page.position))
}

fn filter(ask: &Ask) -> Result<RunFilter, Problem> {
    let offset = ask.query_as::<u32>("offset")?.unwrap_or(0);
    if offset > 10_000 {
        return Err(Problem::invalid("offset", "at most 10000; go on with `cursor`"));
    }
    Ok(RunFilter {
        status: ask.query_all("status").iter().map(|text| parse("status", text)).collect::<Result<_, _>>()?,
        sector_id: ask.query_as("sectorId")?,
        q: ask.query("q"),
        from: date(ask, "from")?,
        to: date(ask, "to")?,
        date_field: ask.query_as("dateField")?.unwrap_or_default(),
        sort: ask.query_as("sort")?.unwrap_or_default(),
        limit: ask.limit(50, 200)?,
        cursor: ask.query("cursor"),
        offset,
    })
}

pub fn parse<T: FromStr>(field: &str, text: &str) -> Result<T, Problem>
where
    T::Err: Display,
{
    text.parse().map_err(|error: T::Err| Problem::invalid(field, error.to_string()))
}

/// A time, or a day, which stands for its midnight UTC.
pub fn date(ask: &Ask, name: &str) -> Result<Option<OffsetDateTime>, Problem> {
    ask.query(name)
        .map(|text| read_date(&text).ok_or_else(|| Problem::invalid(name, "a time (RFC 3339) or a day")))
        .transpose()
}

/// `2026-11-22T20:54:01Z` or `2026-11-22`.
pub fn read_date(text: &str) -> Option<OffsetDateTime> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok();
    let at = at.or_else(|| Date::parse(text, &Iso8601::DATE).ok().map(|day| day.midnight().assume_utc()))?;
    // Years that the database cannot hold are no dates.
    (Micros::from(at).0.unsigned_abs() < 253_402_300_800_000_000).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::read_date;

    #[test]
    fn days_and_times_are_dates() {
        assert_eq!(read_date("2026-11-22").unwrap().unix_timestamp(), 1_795_305_600);
        assert_eq!(read_date("2026-11-22T00:00:01Z").unwrap().unix_timestamp(), 1_795_305_601);
        assert!(read_date("yesterday").is_none());
    }
}
