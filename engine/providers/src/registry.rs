//! What is asked of the list of providers: all of them, one by its name, and what each can do.

use std::{str::FromStr, time::Duration};

use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de};

use crate::{
    apis,
    config::{ProvidersConfig, RetryPolicy, Site},
    credentials::Credential,
    descriptor::Limits,
    name::ProviderName,
    price::Price,
    provider::{Capabilities, PhoneSource},
};

impl ProviderName {
    /// In the order of the list.
    pub fn all() -> impl Iterator<Item = Self> {
        apis::ALL.iter().map(|provider| provider.name)
    }

    /// None of a provider that is not in the list.
    pub fn capabilities(self) -> &'static Capabilities {
        const NONE: &Capabilities = &Capabilities::NONE;
        apis::ALL.iter().find(|provider| provider.name == self).map_or(NONE, |provider| &provider.capabilities)
    }

    /// All list prices of this provider.
    pub fn prices(self) -> impl Iterator<Item = Price> {
        let Capabilities { person_match, organizations, skip_trace, phone_facts, .. } = self.capabilities();
        let phone_facts = phone_facts.iter().map(|phone| phone.lookup.price);
        let person_match = person_match.iter().map(|lookup| lookup.price);
        let organizations = organizations.iter().map(|lookup| lookup.price);
        let skip_trace = skip_trace.iter().map(|lookup| lookup.price);
        person_match.chain(organizations).chain(skip_trace).chain(phone_facts)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a provider ({list})", list = list())]
pub struct UnknownProvider(pub String);

fn list() -> String {
    ProviderName::all().map(ProviderName::as_str).collect::<Vec<_>>().join(", ")
}

impl FromStr for ProviderName {
    type Err = UnknownProvider;
    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        let found = Self::all().find(|name| name.as_str() == text);
        found.ok_or_else(|| UnknownProvider(text.chars().take(40).collect()))
    }
}

impl ProvidersConfig {
    /// Every provider at one address with one key and without limits: the sandbox.
    pub fn all_at(base_url: &str, key: &str) -> Self {
        let site = |provider: ProviderName| {
            let account = provider.descriptor().account.map(|_| SecretString::from("sandbox"));
            let credential = Credential { key: key.into(), account };
            Site { base_url: base_url.into(), credential: Some(credential), limits: Limits::default() }
        };
        let retry = RetryPolicy { poll: Duration::from_millis(50), ..RetryPolicy::default() };
        Self { sites: ProviderName::all().map(|name| (name, site(name))).collect(), retry, ..Self::default() }
    }
}

impl PhoneSource {
    pub fn all() -> impl Iterator<Item = Self> {
        apis::ALL.iter().flat_map(|provider| provider.capabilities.phone_facts).map(|lookup| Self::new(lookup))
    }
}

impl<'de> Deserialize<'de> for PhoneSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let setting = String::deserialize(deserializer)?;
        Self::all().find(|source| source.as_str() == setting).ok_or_else(|| {
            let expected: Vec<String> = Self::all().map(|source| format!("`{}`", source.as_str())).collect();
            let setting: String = setting.chars().take(40).collect();
            de::Error::custom(format!("unknown variant `{setting}`, expected one of {}", expected.join(", ")))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{async_batches, phone_facts::PhoneSubject};

    #[test]
    fn a_name_is_read_back_and_an_unknown_one_lists_all() {
        for provider in ProviderName::all() {
            assert_eq!(provider.as_str().parse(), Ok(provider));
        }
        let error = "equifax".parse::<ProviderName>().unwrap_err();
        let list = "apollo, realestate, tracerfy, trestle, twilio, signalhouse";
        assert_eq!(error.to_string(), format!("`equifax` is not a provider ({list})"));
    }

    #[test]
    fn names_variables_and_prices_are_each_provider_s_own() {
        let (mut names, mut variables, mut prices) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for provider in ProviderName::all() {
            let descriptor = provider.descriptor();
            assert!(names.insert(descriptor.name) && variables.insert(descriptor.env.key), "{provider}");
            assert!(!descriptor.default_url.ends_with('/'), "{provider}");
            for price in provider.prices() {
                assert!(price.provider == descriptor.name && prices.insert(price.key()), "{}", price.key());
            }
        }
        let expected = [
            "apollo/company",
            "apollo/person_match",
            "realestate/match",
            "tracerfy/normal_trace",
            "trestle/phone",
            "trestle/real_contact",
            "twilio/lookup",
        ];
        assert_eq!(prices.into_iter().collect::<Vec<_>>(), expected, "these keys are stored");
    }

    #[test]
    fn one_provider_takes_async_batches_as_their_table_names_none() {
        let able = ProviderName::all().filter(|provider| provider.capabilities().async_batches.is_some());
        assert_eq!(able.collect::<Vec<_>>(), [async_batches::PROVIDER]);
    }

    #[test]
    fn a_source_is_read_by_its_setting() {
        let read = |text: &str| serde_json::from_value::<PhoneSource>(text.into());
        assert_eq!(read("trestle").unwrap(), PhoneSource::TRESTLE_PHONE);
        assert_eq!(read("trestle_contact").unwrap().subject(), PhoneSubject::NumberAndName);
        assert_eq!(read("twilio").unwrap().price().micros, 8_000);
        let error = read("apollo").unwrap_err().to_string();
        assert_eq!(error, "unknown variant `apollo`, expected one of `trestle`, `trestle_contact`, `twilio`");
    }
}
