//! A provider by name: a handle to its descriptor. The list is in `apis`.

use std::{
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    str::FromStr,
};

use serde::{Serialize, Serializer};

use crate::{
    Price,
    descriptor::{Capabilities, Descriptor},
};

/// Compared, ordered and printed by name. Only the providers of `ProviderName::ALL` exist.
#[derive(Clone, Copy)]
pub struct ProviderName(&'static Descriptor);

impl ProviderName {
    pub(crate) const fn new(descriptor: &'static Descriptor) -> Self {
        Self(descriptor)
    }

    pub const fn descriptor(self) -> &'static Descriptor {
        self.0
    }

    pub const fn capabilities(self) -> &'static Capabilities {
        &self.0.capabilities
    }

    pub const fn as_str(self) -> &'static str {
        self.0.name
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

impl fmt::Debug for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for ProviderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for ProviderName {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for ProviderName {}

impl PartialOrd for ProviderName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ProviderName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl Hash for ProviderName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Serialize for ProviderName {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no provider ({list})", list = list())]
pub struct UnknownProvider(pub String);

fn list() -> String {
    ProviderName::ALL.iter().map(|provider| provider.as_str()).collect::<Vec<_>>().join(", ")
}

impl FromStr for ProviderName {
    type Err = UnknownProvider;
    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        let found = Self::ALL.iter().copied().find(|name| name.as_str() == text);
        found.ok_or_else(|| UnknownProvider(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_an_unknown_one_lists_all() {
        for provider in ProviderName::ALL {
            assert_eq!(provider.as_str().parse(), Ok(*provider));
        }
        let error = "equifax".parse::<ProviderName>().unwrap_err();
        let list = "apollo, realestate, tracerfy, trestle, twilio, signalhouse";
        assert_eq!(error.to_string(), format!("`equifax` is no provider ({list})"));
    }
}
