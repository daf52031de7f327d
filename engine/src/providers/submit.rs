//! A call that must not be made twice: tried again only after a certain no.

use luci_schema::Micros;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;

use super::{
    Caller, Errand, Toll,
    call::known,
    send::{self, SendError},
};

impl Caller {
    /// Sends what `request` makes, and reads JSON. An answer that was lost is not asked for again: the provider may have taken
    /// what was sent.
    pub async fn submit(
        &self,
        errand: Errand<'_>,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Value, SendError> {
        let (correlation, mut toll, mut tried) = (errand.asking.root_run.to_string(), errand.toll, 0);
        loop {
            if toll == Toll::Due {
                self.pay(errand).await.map_err(SendError::Refused)?;
            }
            toll = Toll::Due;
            if let Err(until) = self.account.breaker.enter(Micros::now()) {
                return Err(SendError::Refused(self.paused(until)));
            }
            let began = Micros::now();
            let outcome = send::once(self.provider.as_str(), known(request(&self.client), &correlation)).await;
            self.measure(began, outcome.as_ref().map(drop).map_err(SendError::error));
            let error = match outcome {
                Err(SendError::Refused(error)) => error,
                answered => return answered,
            };
            let wait = self.wait(tried, &error).filter(|_| tried < self.retry.retries);
            let Some(wait) = wait else { return Err(SendError::Refused(error)) };
            tried += 1;
            tokio::time::sleep(wait).await;
        }
    }
}
