//! Whether a provider answers at all: one cheap request without a key, which it bills to nobody.
//!
//! Anything but a 5xx is an answer, also a refusal. Where the provider has no path for that purpose, its address itself is
//! asked: that says whether the gateway before the provider is back, and the first real call says the rest.

use std::{sync::Arc, time::Duration};

use luci_schema::Micros;
use reqwest::Client;

use crate::{breaker::Breaker, config::ProvidersConfig, http, name::ProviderName};

/// Of one probe.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Asks providers at the installation's addresses.
#[derive(Debug, Clone)]
pub struct Probes {
    client: Client,
    config: Arc<ProvidersConfig>,
}

impl Probes {
    /// The process must have a default rustls provider.
    pub fn new(config: ProvidersConfig) -> Result<Self, String> {
        let client = http::client(config.timeout.min(TIMEOUT)).map_err(|error| error.to_string())?;
        Ok(Self { client, config: Arc::new(config) })
    }

    /// Whether the provider of this name answers; false for one that is none.
    pub async fn answers(&self, provider: &str) -> bool {
        let Ok(provider) = provider.parse::<ProviderName>() else { return false };
        answers(&self.client, &self.config.site(provider).base_url, provider).await
    }
}

/// Whether the provider at this address answers.
pub(crate) async fn answers(client: &Client, base_url: &str, provider: ProviderName) -> bool {
    let url = format!("{}{}", base_url.trim_end_matches('/'), provider.descriptor().probe);
    let answer = client.get(url).timeout(TIMEOUT).send().await;
    let answered = answer.is_ok_and(|answer| !answer.status().is_server_error());
    let outcome = if answered { "answered" } else { "silent" };
    metrics::counter!("luci_provider_probes_total", "provider" => provider.as_str(), "outcome" => outcome).increment(1);
    answered
}

/// Whether a call may be made now. An open breaker first asks the provider, seldom, instead of waiting for its time: when that
/// answers, this call is the trial. The error is the time of the next call.
pub(crate) async fn admit(
    breaker: &Breaker,
    client: &Client,
    base_url: &str,
    provider: ProviderName,
) -> Result<(), Micros> {
    let refused = match breaker.check(Micros::now()) {
        Ok(()) => return Ok(()),
        Err(until) => until,
    };
    if !breaker.may_probe(Micros::now()) || !answers(client, base_url, provider).await {
        return Err(refused);
    }
    breaker.answered_probe();
    breaker.check(Micros::now())
}
