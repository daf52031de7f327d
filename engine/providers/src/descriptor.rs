//! A provider as data: its name, environment variables, address, limits, and what it can do at which price.

use futures::future::BoxFuture;
use luci_leads::enrich::{
    found::{FoundOrganization, PersonMatch, TraceMatch},
    query::{PersonQuery, TraceQuery},
};

use crate::{
    Answers, Limits, LookupContext, OrganizationQuery, Price,
    lookup::{LookupApi, LookupClient},
    phone_facts::PhoneLookup,
};

/// All that LUCI knows of a provider before it calls it. One `static` in each provider's file.
pub struct Descriptor {
    /// Lower case; stored in events, prices, credentials and results: never changed.
    pub name: &'static str,
    pub env: EnvNames,
    /// Without a slash at the end.
    pub default_url: &'static str,
    /// What a credential's `account` is at this provider; `None` when it takes a key alone.
    pub account: Option<&'static str>,
    /// Of the installation's credential, unless the environment says otherwise.
    pub default_limits: Limits,
    /// The HTTP status by which it says that the account's credits are used up.
    pub out_of_credits: Option<u16>,
    pub capabilities: Capabilities,
}

impl Descriptor {
    /// A provider that takes a key alone, has no limits and can do nothing yet.
    pub const fn new(name: &'static str, env: EnvNames, default_url: &'static str) -> Self {
        let (account, out_of_credits) = (None, None);
        let (default_limits, capabilities) = (Limits::NONE, Capabilities::NONE);
        Self { name, env, default_url, account, default_limits, out_of_credits, capabilities }
    }
}

/// Environment variables of one provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvNames {
    pub url: &'static str,
    pub key: &'static str,
    pub account: &'static str,
    pub per_minute: &'static str,
    pub per_day: &'static str,
    pub tenant_per_day: &'static str,
}

/// `LUCI_{word}_URL`, `_KEY`, `_ACCOUNT`, `_PER_MINUTE`, `_PER_DAY` and `_TENANT_PER_DAY`.
macro_rules! env_names {
    ($word:literal) => {
        $crate::descriptor::EnvNames {
            url: concat!("LUCI_", $word, "_URL"),
            key: concat!("LUCI_", $word, "_KEY"),
            account: concat!("LUCI_", $word, "_ACCOUNT"),
            per_minute: concat!("LUCI_", $word, "_PER_MINUTE"),
            per_day: concat!("LUCI_", $word, "_PER_DAY"),
            tenant_per_day: concat!("LUCI_", $word, "_TENANT_PER_DAY"),
        }
    };
}
pub(crate) use env_names;

/// What a provider can do; `None` or empty is what it cannot.
pub struct Capabilities {
    pub person_match: Option<Lookup<PersonQuery, PersonMatch>>,
    pub organizations: Option<Lookup<OrganizationQuery, FoundOrganization>>,
    pub skip_trace: Option<Lookup<TraceQuery, TraceMatch>>,
    /// Takes leads in batches and posts their answers later.
    pub async_batches: Option<BatchLimits>,
    pub phone_facts: &'static [&'static PhoneLookup],
    pub send: Option<SendApi>,
}

impl Capabilities {
    pub const NONE: Self = Self {
        person_match: None,
        organizations: None,
        skip_trace: None,
        async_batches: None,
        phone_facts: &[],
        send: None,
    };
}

/// Sends messages or calls: where that API is, when it differs from the one for lookups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendApi {
    pub env_url: &'static str,
    /// Without a slash at the end.
    pub default_url: &'static str,
}

/// What one batch may hold, by the provider's documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchLimits {
    pub min_leads: usize,
    pub max_leads: usize,
    pub max_body_bytes: usize,
}

type LookupFn<Q, M> = for<'a> fn(&'a LookupClient, LookupContext<'a>, &'a [Q]) -> BoxFuture<'a, Answers<M>>;

/// One kind of lookup at one provider: what it costs, and the adapter behind it.
pub struct Lookup<Q, M> {
    pub price: Price,
    run: LookupFn<Q, M>,
}

impl<Q, M> Lookup<Q, M> {
    pub(crate) const fn of<A: LookupApi<Query = Q, Match = M>>() -> Self {
        Self { price: A::PRICE, run: run::<A> }
    }

    /// The answers stand in the order of the queries.
    pub(crate) async fn run(&self, client: &LookupClient, context: LookupContext<'_>, queries: &[Q]) -> Answers<M> {
        (self.run)(client, context, queries).await
    }
}

fn run<'a, A: LookupApi>(
    client: &'a LookupClient,
    context: LookupContext<'a>,
    queries: &'a [A::Query],
) -> BoxFuture<'a, Answers<A::Match>> {
    Box::pin(client.lookup::<A>(context, queries))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use crate::{ProviderName, async_batches};

    #[test]
    fn names_variables_and_prices_are_each_provider_s_own() {
        let (mut names, mut variables, mut prices) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        for provider in ProviderName::ALL {
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
        let able = ProviderName::ALL.iter().filter(|provider| provider.capabilities().async_batches.is_some());
        assert_eq!(able.collect::<Vec<_>>(), [&async_batches::PROVIDER]);
    }
}
