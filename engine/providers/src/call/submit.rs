//! A call that must not be made twice: retried only after a certain refusal.

use luci_schema::Micros;
use reqwest::{Client, RequestBuilder};
use serde_json::Value;
use tracing::Instrument;

use super::{Caller, Charge, Quota};
use crate::{
    http::with_headers,
    send::{self, SendError},
};

impl Caller {
    /// Sends what `request` makes, and reads JSON. A lost answer is not retried: the provider may have accepted the request.
    pub async fn submit(
        &self,
        charge: Charge<'_>,
        request: impl Fn(&Client) -> RequestBuilder,
    ) -> Result<Value, SendError> {
        let (correlation, mut quota, mut retries) = (charge.context.root_run.to_string(), charge.quota, 0);
        loop {
            if quota == Quota::Due {
                self.take_quota(charge).await.map_err(SendError::Refused)?;
            }
            quota = Quota::Due;
            self.admitted().await.map_err(SendError::Refused)?;
            let began = Micros::now();
            let request = with_headers(request(&self.client), &correlation);
            let outcome =
                send::once(self.provider.as_str(), request).instrument(self.span(charge.stage, retries)).await;
            self.record(began, outcome.as_ref().map(drop).map_err(SendError::error));
            let error = match outcome {
                Err(SendError::Refused(error)) => self.out_of_credits(error),
                answered => return answered,
            };
            let Some(wait) = self.retry_wait(retries, &error) else { return Err(SendError::Refused(error)) };
            retries += 1;
            tokio::time::sleep(wait).await;
        }
    }
}
