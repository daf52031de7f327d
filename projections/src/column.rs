//! Between Rust values and columns: arrays for UNNEST; enums, counts and JSON read back with the column's name in the error.

use std::{fmt::Display, str::FromStr};

use serde::{Serialize, de::DeserializeOwned};
use sqlx::{Row as _, postgres::PgRow};

/// One column's array of a multi-row statement: `column!(rows, |row| row.field)`.
macro_rules! column {
    ($rows:expr, |$row:ident| $value:expr) => {
        $rows.iter().map(|$row| $value).collect::<Vec<_>>()
    };
}
pub(crate) use column;

fn unreadable(name: &str, error: impl Display) -> sqlx::Error {
    sqlx::Error::ColumnDecode { index: name.into(), source: error.to_string().into() }
}

/// A text that a Rust type parses: a stage, a status.
pub(crate) fn parse<T: FromStr<Err: Display>>(row: &PgRow, name: &str) -> Result<T, sqlx::Error> {
    row.try_get::<&str, _>(name)?.parse().map_err(|e| unreadable(name, e))
}

pub(crate) fn parse_or_null<T: FromStr<Err: Display>>(row: &PgRow, name: &str) -> Result<Option<T>, sqlx::Error> {
    let text = row.try_get::<Option<&str>, _>(name)?;
    text.map(str::parse).transpose().map_err(|e| unreadable(name, e))
}

/// A count: never negative in the database.
pub(crate) fn count(row: &PgRow, name: &str) -> Result<u64, sqlx::Error> {
    u64::try_from(row.try_get::<i64, _>(name)?).map_err(|e| unreadable(name, e))
}

pub(crate) fn count_or_null(row: &PgRow, name: &str) -> Result<Option<u64>, sqlx::Error> {
    let n = row.try_get::<Option<i64>, _>(name)?;
    n.map(u64::try_from).transpose().map_err(|e| unreadable(name, e))
}

pub(crate) fn json<T: DeserializeOwned>(row: &PgRow, name: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(row.try_get_unchecked::<&str, _>(name)?).map_err(|e| unreadable(name, e))
}

pub(crate) fn json_or_null<T: DeserializeOwned>(row: &PgRow, name: &str) -> Result<Option<T>, sqlx::Error> {
    let text = row.try_get_unchecked::<Option<&str>, _>(name)?;
    text.map(serde_json::from_str).transpose().map_err(|e| unreadable(name, e))
}

/// JSON text for a `json` column (bound as text and cast by the statement).
pub(crate) fn text_of(value: &impl Serialize) -> Result<String, sqlx::Error> {
    serde_json::to_string(value).map_err(|e| sqlx::Error::Encode(e.into()))
}

/// One array of JSON texts, null where a row has none.
pub(crate) fn texts<'r, R, T: Serialize + 'r>(
    rows: &[&'r R],
    of: impl Fn(&'r R) -> Option<&'r T>,
) -> Result<Vec<Option<String>>, sqlx::Error> {
    rows.iter().map(|row| of(row).map(text_of).transpose()).collect()
}

/// A count as a `bigint`. No count exceeds `i64::MAX`.
pub(crate) fn bigint(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}
