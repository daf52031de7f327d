//! Settings of the gateway's edge: who may send how much, the proxies before it, and its own TLS.

use std::{path::PathBuf, str::FromStr};

use luci_gateway::{Proxies, Rate, RateLimitOptions, tls::TlsFiles};

use super::VariableReader;

/// What stands between callers and the routes of the gateway.
#[derive(Debug, Clone, Default)]
pub struct EdgeConfig {
    /// `LUCI_RATE_LIMIT_KEY`, `LUCI_RATE_LIMIT_ADDRESS`, `LUCI_RATE_LIMIT_WEBHOOK`.
    pub rate_limits: RateLimitOptions,
    /// `LUCI_PROXIES`.
    pub proxies: Proxies,
    /// `LUCI_TLS_CERT` and `LUCI_TLS_KEY`.
    pub tls: Option<TlsFiles>,
}

/// A limit, or none.
struct Limit(Option<Rate>);

impl FromStr for Limit {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        if text == "off" { Ok(Self(None)) } else { text.parse().map(|rate| Self(Some(rate))) }
    }
}

pub(super) fn read(reader: &mut VariableReader) -> EdgeConfig {
    let defaults = RateLimitOptions::default();
    let mut limit = |name, default| {
        let expected = "requests a second and at once like 200:2000, or `off`";
        reader.parsed::<Limit>(name, expected).map_or(default, |limit| limit.0)
    };
    let rate_limits = RateLimitOptions {
        key: limit("LUCI_RATE_LIMIT_KEY", defaults.key),
        address: limit("LUCI_RATE_LIMIT_ADDRESS", defaults.address),
        webhook: limit("LUCI_RATE_LIMIT_WEBHOOK", defaults.webhook),
    };
    let expected =
        "the number of proxies that write X-Forwarded-For, or `forwarded:` and the number that write Forwarded";
    let proxies = reader.parsed("LUCI_PROXIES", expected).unwrap_or_default();
    EdgeConfig { rate_limits, proxies, tls: tls(reader) }
}

fn tls(reader: &mut VariableReader) -> Option<TlsFiles> {
    let certificate = reader.text("LUCI_TLS_CERT").map(PathBuf::from);
    let key = reader.text("LUCI_TLS_KEY").map(PathBuf::from);
    match (certificate, key) {
        (Some(certificate), Some(key)) => Some(TlsFiles { certificate, key }),
        (None, None) => None,
        (Some(_), None) => {
            reader.error("LUCI_TLS_KEY", "is not set: LUCI_TLS_CERT needs the private key of its certificate");
            None
        }
        (None, Some(_)) => {
            reader.error("LUCI_TLS_CERT", "is not set: LUCI_TLS_KEY needs the certificate of its key");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<EdgeConfig, String> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut reader = VariableReader::new(variables.collect());
        let config = super::read(&mut reader);
        reader.finish(config).map_err(|errors| errors.to_string())
    }

    #[test]
    fn limits_can_be_set_and_switched_off() {
        let config = read(&[("LUCI_RATE_LIMIT_KEY", "10:20"), ("LUCI_RATE_LIMIT_WEBHOOK", "off")]).expect("right");
        let defaults = RateLimitOptions::default();
        let expected = RateLimitOptions { key: Some(Rate::new(10, 20)), address: defaults.address, webhook: None };
        assert_eq!(config.rate_limits, expected);
        assert_eq!(read(&[("LUCI_PROXIES", "2")]).expect("right").proxies, Proxies::ForwardedFor(2));
        for name in ["LUCI_RATE_LIMIT_KEY", "LUCI_RATE_LIMIT_ADDRESS", "LUCI_RATE_LIMIT_WEBHOOK", "LUCI_PROXIES"] {
            assert!(read(&[(name, "many")]).expect_err("no number").contains(name));
        }
    }

    #[test]
    fn a_certificate_needs_its_key() {
        assert!(read(&[("LUCI_TLS_CERT", "a.pem")]).expect_err("half").contains("LUCI_TLS_KEY"));
        assert!(read(&[("LUCI_TLS_KEY", "a.pem")]).expect_err("half").contains("LUCI_TLS_CERT"));
        let both = read(&[("LUCI_TLS_CERT", "a.pem"), ("LUCI_TLS_KEY", "b.pem")]).expect("right").tls;
        assert_eq!(both, Some(TlsFiles { certificate: "a.pem".into(), key: "b.pem".into() }));
    }
}
