//! Settings of the outside providers; each one's descriptor names its variables: `LUCI_{NAME}_URL`, `_KEY`, `_ACCOUNT`, `_PER_MINUTE`, `_PER_DAY` and `_TENANT_PER_DAY`.

use luci_config::AdminError;
use luci_providers::{Limits, ProviderName, ProvidersConfig, Site, credentials::Credential};
use secrecy::ExposeSecret;

use super::{VariableReader, web_url};

pub(super) fn read(reader: &mut VariableReader) -> ProvidersConfig {
    let sites = ProviderName::all().map(|provider| (provider, site(reader, provider))).collect();
    ProvidersConfig { sites, ..ProvidersConfig::default() }
}

fn site(reader: &mut VariableReader, provider: ProviderName) -> Site {
    let (vendor, env) = (Site::vendor(provider), &provider.descriptor().env);
    Site {
        base_url: web_url(reader, env.url).unwrap_or(vendor.base_url),
        credential: credential(reader, provider),
        limits: Limits {
            per_minute: quota(reader, env.per_minute).or(vendor.limits.per_minute),
            per_day: quota(reader, env.per_day).or(vendor.limits.per_day),
            tenant_per_minute: vendor.limits.tenant_per_minute,
            tenant_per_day: quota(reader, env.tenant_per_day).or(vendor.limits.tenant_per_day),
        },
    }
}

fn quota(reader: &mut VariableReader, name: &'static str) -> Option<u32> {
    let quota: std::num::NonZeroU32 = reader.parsed(name, "a number of people, 1 or more")?;
    Some(quota.get())
}

fn credential(reader: &mut VariableReader, provider: ProviderName) -> Option<Credential> {
    let variables = &provider.descriptor().env;
    let (key, account) = (reader.secret(variables.key), reader.secret(variables.account));
    let Some(key) = key else {
        if account.is_some() {
            reader.error(variables.key, format!("is not set, but {} is", variables.account));
        }
        return None;
    };
    let account = account.map(|account| account.expose_secret().to_owned());
    match Credential::new(provider, key.expose_secret().to_owned(), account) {
        Ok(credential) => Some(credential),
        Err(AdminError::Invalid { field: "account", reason }) => {
            reader.error(variables.account, reason);
            None
        }
        Err(error) => {
            reader.error(variables.key, error.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_from(variables: &[(&str, &str)]) -> (ProvidersConfig, Vec<String>) {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut reader = VariableReader::new(variables.collect());
        let config = read(&mut reader);
        let errors = reader.finish(()).err().map(|all| all.0).unwrap_or_default();
        (config, errors.into_iter().map(|error| error.variable).collect())
    }

    #[test]
    fn a_key_is_enough_and_the_vendors_url_is_the_default() {
        let (config, errors) = read_from(&[("LUCI_APOLLO_KEY", "k"), ("LUCI_APOLLO_PER_MINUTE", "200")]);
        assert!(errors.is_empty(), "{errors:?}");
        assert_eq!(config.configured(), [ProviderName::APOLLO]);
        let apollo = config.site(ProviderName::APOLLO);
        assert_eq!((apollo.base_url.as_str(), apollo.limits.per_minute), ("https://api.apollo.io", Some(200)));
        assert_eq!(config.site(ProviderName::REALESTATE).limits.tenant_per_day, Some(2_000));
    }

    #[test]
    fn an_error_names_its_variable() {
        let (_, errors) = read_from(&[
            ("LUCI_APOLLO_KEY", "two words"),
            ("LUCI_TWILIO_KEY", "k"),
            ("LUCI_SIGNALHOUSE_ACCOUNT", "a"),
            ("LUCI_TRESTLE_URL", "ftp://x"),
            ("LUCI_TRACERFY_PER_DAY", "0"),
        ]);
        let expected = [
            "LUCI_APOLLO_KEY",
            "LUCI_TRACERFY_PER_DAY",
            "LUCI_TRESTLE_URL",
            "LUCI_TWILIO_ACCOUNT",
            "LUCI_SIGNALHOUSE_KEY",
        ];
        assert_eq!(errors, expected);
    }
}
