//! What each call takes from the limits: the first by the grant that let it begin, each later one for itself.

use std::time::Duration;

use luci_schema::{FailureCode, Micros};

use super::{Caller, limits, weather::Cloud};
use crate::provider::{Asking, ProviderError};

/// One call that is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Errand<'a> {
    pub asking: Asking<'a>,
    /// People whom it is about; none where it only looks after what was asked before.
    pub people: usize,
    pub toll: Toll,
}

impl Errand<'_> {
    /// The same, about so many people.
    pub const fn about(self, people: usize) -> Self {
        Self { people, ..self }
    }
}

/// Whether the limits were asked for the people of a call. Each try is a call to the provider, so every one after the first
/// is due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toll {
    Paid,
    Due,
}

impl Caller {
    /// Takes the errand's people from the limits once more, waiting as long as patience lasts. The provider has heard the
    /// question before, so what is refused here counts as asked.
    pub(super) async fn pay(&self, errand: Errand<'_>) -> Result<(), ProviderError> {
        let (account, wanted) = (&self.account, errand.people);
        if wanted == 0 || account.limits.none() {
            return Ok(());
        }
        let mut patience = self.patience;
        loop {
            let taken = async {
                let mut c = self.pool.acquire().await?;
                let (tenant, provider, scope) = (errand.asking.tenant, account.provider, account.scope);
                let grant = limits::take(&mut c, tenant, provider, scope, &account.limits, wanted).await?;
                if (1..wanted).contains(&grant.people) {
                    limits::give_back(&mut c, tenant, provider, scope, grant.people).await?;
                }
                Ok::<_, sqlx::Error>(grant)
            };
            let grant = taken.await.map_err(|error| ProviderError {
                detail: Some(error.to_string()),
                ..self.error(FailureCode::RateLimit, "limits_unreadable")
            })?;
            if grant.people == wanted {
                return Ok(());
            }
            if grant.wait > patience {
                return Err(self.used_up(grant.wait));
            }
            patience -= grant.wait;
            tokio::time::sleep(grant.wait.max(LEAST)).await;
        }
    }

    fn used_up(&self, wait: Duration) -> ProviderError {
        let until = Micros::now().plus_millis(i64::try_from(wait.as_millis()).unwrap_or(i64::MAX));
        self.station.cloud(self.provider, self.account.scope, Cloud::Limited, until);
        ProviderError { retry_after: Some(wait), ..self.error(FailureCode::RateLimit, "limit") }
    }
}

/// Between two questions to the limits.
const LEAST: Duration = Duration::from_millis(50);
