//! A provider: its name, capabilities, adapters and prices.

use std::fmt;

use futures::future::BoxFuture;
use luci_leads::enrich::{
    found::{FoundOrganization, PersonMatch, TraceMatch},
    query::{PersonQuery, TraceQuery},
};

use crate::{
    answer::{Answers, LookupContext},
    lookup::LookupClient,
    lookup_api::LookupApi,
    name::ProviderName,
    organization::OrganizationQuery,
    phone_facts::{PhoneFacts, PhoneQuery, PhoneSubject},
    price::Price,
};

/// An entry of the list of providers. One `static` in each provider's file.
pub struct Provider {
    pub name: ProviderName,
    pub capabilities: Capabilities,
}

/// What a provider can do. `None` or empty: not supported.
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
    /// Without a slash at the end.
    pub default_url: &'static str,
}

/// What one batch may hold, according to the provider's documentation.
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

    /// Returns one answer per query, in query order.
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

/// One API that answers about phone numbers.
pub struct PhoneLookup {
    /// Value of the blueprint setting `verify` that selects it.
    pub setting: &'static str,
    pub subject: PhoneSubject,
    pub lookup: Lookup<PhoneQuery, PhoneFacts>,
}

/// A `PhoneLookup` of the provider list, by its setting.
#[derive(Clone, Copy)]
pub struct PhoneSource(&'static PhoneLookup);

impl PhoneSource {
    pub(crate) const fn new(lookup: &'static PhoneLookup) -> Self {
        Self(lookup)
    }

    pub const fn as_str(self) -> &'static str {
        self.0.setting
    }

    pub const fn subject(self) -> PhoneSubject {
        self.0.subject
    }

    /// Price per number.
    pub const fn price(self) -> Price {
        self.0.lookup.price
    }

    pub(crate) const fn lookup(self) -> &'static Lookup<PhoneQuery, PhoneFacts> {
        &self.0.lookup
    }
}

impl fmt::Debug for PhoneSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl PartialEq for PhoneSource {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for PhoneSource {}
