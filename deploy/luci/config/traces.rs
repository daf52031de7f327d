//! Settings of traces: the collector that they are sent to, and how many of them.

use std::str::FromStr;

use url::Url;

use super::VariableReader;

/// Where traces go.
#[derive(Debug, Clone, PartialEq)]
pub struct TracesConfig {
    /// `LUCI_OTLP_URL`, else `OTEL_EXPORTER_OTLP_ENDPOINT`: the base URL of a collector that speaks OTLP/HTTP, without a
    /// trailing slash; spans are posted to `/v1/traces` below it.
    pub collector: String,
    /// `LUCI_OTLP_RATIO`: the share of traces that begin here and are sent, default all.
    pub ratio: f64,
}

/// A share, from 0 to 1.
struct Ratio(f64);

impl FromStr for Ratio {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio)).map(Self).ok_or(())
    }
}

/// `None`: no traces are sent.
pub(super) fn read(reader: &mut VariableReader) -> Option<TracesConfig> {
    let (own, standard) = (collector(reader, "LUCI_OTLP_URL"), collector(reader, "OTEL_EXPORTER_OTLP_ENDPOINT"));
    let ratio = reader.parsed("LUCI_OTLP_RATIO", "a number from 0 to 1").map_or(1.0, |Ratio(ratio)| ratio);
    Some(TracesConfig { collector: own.or(standard)?, ratio })
}

/// The value is not quoted in errors: it may hold a password.
fn collector(reader: &mut VariableReader, name: &'static str) -> Option<String> {
    let text = reader.text(name)?;
    match Url::parse(&text) {
        Ok(url) if matches!(url.scheme(), "http" | "https") && url.query().is_none() && url.fragment().is_none() => {
            Some(text.trim_end_matches('/').to_owned())
        }
        _ => {
            reader
                .error(name, "is not the URL of a collector like http://127.0.0.1:4318, to which /v1/traces is added");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<TracesConfig>, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut reader = VariableReader::new(variables.collect());
        let config = super::read(&mut reader);
        reader.finish(config).map_err(|errors| errors.to_string())
    }

    #[test]
    fn traces_are_off_unless_a_collector_is_named() {
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("LUCI_OTLP_RATIO", "0.5")]), Ok(None));
        let at = |collector: &str, ratio| Ok(Some(TracesConfig { collector: collector.into(), ratio }));
        let standard = ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector.example:4318/");
        assert_eq!(read(&[standard]), at("https://collector.example:4318", 1.0));
        let own = [standard, ("LUCI_OTLP_URL", "http://127.0.0.1:4318/otlp"), ("LUCI_OTLP_RATIO", "0.25")];
        assert_eq!(read(&own), at("http://127.0.0.1:4318/otlp", 0.25));
    }

    #[test]
    fn what_is_no_collector_and_no_share_is_named_without_its_value() {
        for invalid in ["127.0.0.1:4318", "grpc://hunter2:4317", "http://c/?token=hunter2"] {
            let error = read(&[("LUCI_OTLP_URL", invalid)]).expect_err(invalid);
            assert!(error.contains("LUCI_OTLP_URL") && !error.contains("hunter2"), "{error}");
        }
        for invalid in ["1.5", "-0.1", "all", "NaN"] {
            let error = read(&[("LUCI_OTLP_URL", "http://c"), ("LUCI_OTLP_RATIO", invalid)]).expect_err(invalid);
            assert!(error.contains("LUCI_OTLP_RATIO"), "{error}");
        }
    }
}
