//! The query of a request: decoded, split and parsed by name.

use std::{fmt::Display, str::FromStr};

use time::OffsetDateTime;

use super::{
    NUL_REASON, Request,
    date::{TIME_HINT, parse_end, parse_time},
    parse_field,
};
use crate::problem::Problem;

impl Request {
    fn query_pairs(&self) -> url::form_urlencoded::Parse<'_> {
        url::form_urlencoded::parse(self.query.as_bytes())
    }

    /// The first non-empty value of a query parameter, decoded and trimmed.
    pub fn query(&self, name: &str) -> Option<String> {
        self.query_pairs().filter(|(key, _)| key == name).map(|(_, v)| v.trim().to_owned()).find(|v| !v.is_empty())
    }

    /// 422 when a query value contains a NUL character: Postgres cannot store one in a text.
    pub fn reject_nul_in_query(&self) -> Result<(), Problem> {
        match self.query_pairs().find(|(_, value)| value.contains('\0')) {
            Some((name, _)) => Err(Problem::invalid(&name.replace('\0', "\u{fffd}"), NUL_REASON)),
            None => Ok(()),
        }
    }

    /// Whether the query has this parameter, with or without a value.
    pub fn query_flag(&self, name: &str) -> bool {
        self.query_pairs().any(|(key, _)| key == name)
    }

    /// All values of a query parameter. A comma separates values too.
    pub fn query_all(&self, name: &str) -> Vec<String> {
        self.query_pairs()
            .filter(|(key, _)| key == name)
            .flat_map(|(_, value)| value.split(',').map(str::to_owned).collect::<Vec<_>>())
            .map(|value| value.trim().to_owned())
            .filter(|value| !value.is_empty())
            .collect()
    }

    /// A query parameter, parsed; 422 names the parameter.
    pub fn query_as<T>(&self, name: &str) -> Result<Option<T>, Problem>
    where
        T: FromStr,
        T::Err: Display,
    {
        self.query(name).map(|text| parse_field(name, &text)).transpose()
    }

    /// The query parameters `from` and `to`: times, or days, of which `to` includes the whole.
    pub fn query_range(&self) -> Result<(Option<OffsetDateTime>, Option<OffsetDateTime>), Problem> {
        let read = |name: &str, parse: fn(&str) -> Option<OffsetDateTime>| {
            self.query(name).map(|text| parse(&text).ok_or_else(|| Problem::invalid(name, TIME_HINT))).transpose()
        };
        Ok((read("from", parse_time)?, read("to", parse_end)?))
    }

    /// `limit` within 1..=`max`, or `default`.
    pub fn limit(&self, default: u32, max: u32) -> Result<u32, Problem> {
        match self.query_as::<u32>("limit")? {
            None => Ok(default),
            Some(limit) if (1..=max).contains(&limit) => Ok(limit),
            Some(_) => Err(Problem::invalid("limit", format!("1 to {max}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::request;

    #[test]
    fn query_values_are_decoded_and_split() {
        let decoded = request("status=running%2Cfailed&status=paused&q=a%20b&limit=7", &[], b"");
        assert_eq!(decoded.query_all("status"), ["running", "failed", "paused"]);
        assert_eq!(decoded.query("q").as_deref(), Some("a b"));
        assert_eq!(decoded.limit(50, 100).unwrap(), 7);
        assert!(decoded.limit(50, 5).is_err());
        let single = request("fileName=Smith%2C+Jones.csv&limit=5,6&x=&x=1", &[], b"");
        assert_eq!(single.query("fileName").as_deref(), Some("Smith, Jones.csv"), "a single value is not split");
        assert!(single.limit(50, 100).is_err());
        assert_eq!(single.query("x").as_deref(), Some("1"), "empty counts as absent");
    }

    #[test]
    fn a_nul_character_in_the_query_is_rejected() {
        assert!(request("q=a%200&x=%2500", &[], b"").reject_nul_in_query().is_ok());
        assert_eq!(request("limit=1&q=a%00", &[], b"").reject_nul_in_query().unwrap_err().status(), 422);
    }
}
