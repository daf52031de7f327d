//! `POST /api/messages/approve`: approves the drafts of a run or campaign.

use std::sync::Arc;

use luci_messaging::store::sms_queue::review::Decision;

use crate::{App, caller::Caller, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    super::decide(app, caller, request, (Decision::Approve(None), "approved")).await
}
