//! Providers by their variables: `LUCI_{NAME}_URL`, `_KEY`, `_ACCOUNT`, `_PER_MINUTE`, `_PER_DAY` and `_TENANT_PER_DAY`.

use luci_engine::{
    admin::{AdminError, credentials::Credential},
    provider::{Limits, ProviderName, ProvidersConfig, Site},
};
use secrecy::ExposeSecret;

use super::{Reader, web_address};

/// The variables of one provider.
struct Names {
    provider: ProviderName,
    url: &'static str,
    key: &'static str,
    account: &'static str,
    per_minute: &'static str,
    per_day: &'static str,
    tenant_per_day: &'static str,
}

macro_rules! names {
    ($provider:ident, $word:literal) => {
        Names {
            provider: ProviderName::$provider,
            url: concat!("LUCI_", $word, "_URL"),
            key: concat!("LUCI_", $word, "_KEY"),
            account: concat!("LUCI_", $word, "_ACCOUNT"),
            per_minute: concat!("LUCI_", $word, "_PER_MINUTE"),
            per_day: concat!("LUCI_", $word, "_PER_DAY"),
            tenant_per_day: concat!("LUCI_", $word, "_TENANT_PER_DAY"),
        }
    };
}

const NAMES: [Names; ProviderName::ALL.len()] = [
    names!(Apollo, "APOLLO"),
    names!(RealEstate, "REALESTATE"),
    names!(Tracerfy, "TRACERFY"),
    names!(Trestle, "TRESTLE"),
    names!(Twilio, "TWILIO"),
    names!(SignalHouse, "SIGNALHOUSE"),
];

/// People that each tenant may have traced by RealEstateAPI on a day, unless the installation says otherwise.
const REALESTATE_TENANT_PER_DAY: u32 = 2_000;

pub(super) fn read(reader: &mut Reader) -> ProvidersConfig {
    let sites = NAMES.iter().map(|names| (names.provider, site(reader, names))).collect();
    let senders = super::senders::read(reader, &sites);
    ProvidersConfig { sites, senders, ..ProvidersConfig::default() }
}

fn site(reader: &mut Reader, names: &Names) -> Site {
    let vendor = Site::vendor(names.provider);
    let usual = (names.provider == ProviderName::RealEstate).then_some(REALESTATE_TENANT_PER_DAY);
    Site {
        base_url: web_address(reader, names.url).unwrap_or(vendor.base_url),
        credential: credential(reader, names),
        limits: Limits {
            per_minute: people(reader, names.per_minute),
            per_day: people(reader, names.per_day),
            tenant_per_minute: None,
            tenant_per_day: people(reader, names.tenant_per_day).or(usual),
        },
    }
}

fn people(reader: &mut Reader, name: &'static str) -> Option<u32> {
    let people: std::num::NonZeroU32 = reader.parsed(name, "a number of people, 1 or more")?;
    Some(people.get())
}

fn credential(reader: &mut Reader, names: &Names) -> Option<Credential> {
    let (key, account) = (reader.secret(names.key), reader.secret(names.account));
    let Some(key) = key else {
        if account.is_some() {
            reader.mistake(names.key, format!("is missing, while {} is set", names.account));
        }
        return None;
    };
    let account = account.map(|account| account.expose_secret().to_owned());
    match Credential::new(names.provider, key.expose_secret().to_owned(), account) {
        Ok(credential) => Some(credential),
        Err(AdminError::Invalid { field: "account", reason }) => {
            reader.mistake(names.account, reason);
            None
        }
        Err(error) => {
            reader.mistake(names.key, error.to_string());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_from(variables: &[(&str, &str)]) -> (ProvidersConfig, Vec<String>) {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut reader = Reader::new(variables.collect());
        let config = read(&mut reader);
        let mistakes = reader.finish(()).err().map(|all| all.0).unwrap_or_default();
        (config, mistakes.into_iter().map(|mistake| mistake.variable).collect())
    }

    #[test]
    fn a_key_is_enough_and_the_vendor_s_address_is_known() {
        let (config, mistakes) = read_from(&[("LUCI_APOLLO_KEY", "k"), ("LUCI_APOLLO_PER_MINUTE", "200")]);
        assert!(mistakes.is_empty(), "{mistakes:?}");
        assert_eq!(config.configured(), [ProviderName::Apollo]);
        let apollo = config.site(ProviderName::Apollo);
        assert_eq!((apollo.base_url.as_str(), apollo.limits.per_minute), ("https://api.apollo.io", Some(200)));
        assert_eq!(config.site(ProviderName::RealEstate).limits.tenant_per_day, Some(2_000));
    }

    #[test]
    fn what_is_wrong_is_told_by_variable() {
        let (_, mistakes) = read_from(&[
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
        assert_eq!(mistakes, expected);
    }
}
