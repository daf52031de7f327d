//! `POST /api/messages/{messageId}/approve`: approves a draft, with a changed text if one is given.

use std::sync::Arc;

use luci_messaging::store::sms_queue::review::Decision;
use serde::Deserialize;

use crate::{
    App,
    caller::Caller,
    request::Request,
    routes::{HandlerResult, messages::review::decide},
};

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ApproveBody {
    /// A text to send instead of the draft. Opt-out wording is appended if it has none.
    body: Option<String>,
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<ApproveBody>().await?;
    decide(app, caller, request, (Decision::Approve(body.body), "approved"), digest).await
}
