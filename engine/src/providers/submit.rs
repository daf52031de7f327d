//! A call that must not be made twice: tried again only after a certain no.

use luci_schema::Micros;
use reqwest::header;
use serde_json::Value;

use super::{
    Caller, Errand, Toll,
    call::known,
    send::{self, SendError},
};

impl Caller {
    /// Posts JSON with the key in `x-api-key`. An answer that was lost is not asked for again: the provider may have taken
    /// what was posted.
    pub async fn submit(&self, path: &str, errand: Errand<'_>, body: &Value) -> Result<(), SendError> {
        let (url, body, correlation) = (self.url(path), body.to_string(), errand.asking.root_run.to_string());
        let (mut toll, mut tried) = (errand.toll, 0);
        loop {
            if toll == Toll::Due {
                self.pay(errand).await.map_err(SendError::Refused)?;
            }
            toll = Toll::Due;
            if let Err(until) = self.account.breaker.enter(Micros::now()) {
                return Err(SendError::Refused(self.paused(until)));
            }
            let began = Micros::now();
            let request = self.client.post(&url).header("x-api-key", self.key());
            let request = request.header(header::CONTENT_TYPE, "application/json").body(body.clone());
            let outcome = send::once(self.provider.as_str(), known(request, &correlation)).await;
            self.measure(began, outcome.as_ref().map(drop).map_err(SendError::error));
            let error = match outcome {
                Ok(_) => return Ok(()),
                Err(SendError::Refused(error)) => error,
                Err(unknown) => return Err(unknown),
            };
            let wait = self.wait(tried, &error).filter(|_| tried < self.retry.retries);
            let Some(wait) = wait else { return Err(SendError::Refused(error)) };
            tried += 1;
            tokio::time::sleep(wait).await;
        }
    }
}
