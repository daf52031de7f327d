//! Which provider does a kind of work: the one that a stage's settings name, else the default.

use crate::{name::ProviderName, price::Price};

/// Work that a stage has done by a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Capability {
    /// Who a person is, and where they work.
    PersonMatch,
    /// What a company is, by its domain.
    Organizations,
    /// How a person can be reached.
    SkipTrace,
}

/// No provider of this name has the capability. Displays those that do: `realestate or tracerfy`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}", names(*.0))]
pub struct NotCapable(pub Capability);

fn names(capability: Capability) -> String {
    capability.providers().map(ProviderName::as_str).collect::<Vec<_>>().join(" or ")
}

impl Capability {
    /// Providers that have it, the default first.
    pub fn providers(self) -> impl Iterator<Item = ProviderName> {
        ProviderName::all().filter(move |provider| self.price(*provider).is_ok())
    }

    /// What the provider bills for one match.
    pub fn price(self, provider: ProviderName) -> Result<Price, NotCapable> {
        let capabilities = provider.capabilities();
        let price = match self {
            Self::PersonMatch => capabilities.person_match.as_ref().map(|lookup| lookup.price),
            Self::Organizations => capabilities.organizations.as_ref().map(|lookup| lookup.price),
            Self::SkipTrace => capabilities.skip_trace.as_ref().map(|lookup| lookup.price),
        };
        price.ok_or(NotCapable(self))
    }

    /// The provider of this name, or the default.
    pub fn choose(self, name: Option<&str>) -> Result<ProviderName, NotCapable> {
        let found = self.providers().find(|provider| name.is_none_or(|name| provider.as_str() == name));
        found.ok_or(NotCapable(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_named_provider_must_be_able() {
        assert_eq!(Capability::SkipTrace.choose(None), Ok(ProviderName::REALESTATE));
        assert_eq!(Capability::SkipTrace.choose(Some("tracerfy")), Ok(ProviderName::TRACERFY));
        assert_eq!(Capability::PersonMatch.choose(None), Ok(ProviderName::APOLLO));
        assert!(Capability::PersonMatch.choose(Some("tracerfy")).is_err());
        assert!(Capability::SkipTrace.choose(Some("apollo")).is_err());
        let error = Capability::SkipTrace.choose(Some("equifax")).unwrap_err();
        assert_eq!(error.to_string(), "realestate or tracerfy");
    }

    #[test]
    fn a_provider_has_no_price_for_what_it_cannot_do() {
        assert_eq!(Capability::SkipTrace.price(ProviderName::TRACERFY).map(|price| price.micros), Ok(20_000));
        for provider in [ProviderName::APOLLO, ProviderName::TRESTLE, ProviderName::TWILIO, ProviderName::SIGNALHOUSE] {
            assert_eq!(Capability::SkipTrace.price(provider), Err(NotCapable(Capability::SkipTrace)), "{provider}");
        }
    }
}
