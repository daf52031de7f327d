//! The headers of a request that LUCI defines or interprets.

use luci_schema::{CorrelationId, Position, Version};

use super::Request;
use crate::problem::Problem;

impl Request {
    /// A header that is visible ASCII, trimmed.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
    }

    /// `If-Match: 143`, `"143"` or `"v143"`. `*` is no version: it requires only that the resource exists.
    pub fn if_match(&self) -> Result<Option<Version>, Problem> {
        let Some(text) = self.header("if-match").filter(|text| *text != "*") else { return Ok(None) };
        let number = text.trim_matches('"').trim_start_matches('v');
        number.parse().map(|version| Some(Version(version))).map_err(|_| Problem::invalid("If-Match", "a version"))
    }

    /// `Luci-Min-Position`: the response must reflect at least this position.
    pub fn min_position(&self) -> Result<Option<Position>, Problem> {
        let Some(text) = self.header("luci-min-position") else { return Ok(None) };
        text.parse().map(|at| Some(Position(at))).map_err(|_| Problem::invalid("Luci-Min-Position", "a position"))
    }

    /// `Luci-Correlation-Id`: the correlation id of the caller.
    pub fn correlation(&self) -> Result<Option<CorrelationId>, Problem> {
        self.header("luci-correlation-id")
            .map(|text| text.parse().map_err(|error| Problem::invalid("Luci-Correlation-Id", format!("{error}"))))
            .transpose()
    }
}

#[cfg(test)]
mod tests {
    use luci_schema::Version;

    use super::super::fixture::request;

    #[test]
    fn if_match_takes_a_number_or_a_tag() {
        for text in ["143", "\"143\"", "\"v143\""] {
            assert_eq!(request("", &[("if-match", text)], b"").if_match().unwrap(), Some(Version(143)));
        }
        assert!(request("", &[("if-match", "abc")], b"").if_match().is_err());
        assert_eq!(request("", &[("if-match", "*")], b"").if_match().unwrap(), None);
    }
}
