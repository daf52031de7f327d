//! `POST /api/messages/{messageId}/reject`: rejects a draft.

use std::sync::Arc;

use luci_messaging::store::sms_queue::review::Decision;
use serde::Deserialize;

use crate::{
    App,
    caller::Caller,
    request::Request,
    routes::{HandlerResult, messages::review::decide},
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RejectBody {}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (RejectBody {}, digest) = request.json().await?;
    decide(app, caller, request, (Decision::Reject, "rejected"), digest).await
}
