//! `POST /api/holds/suppress`: a number that is on hold is suppressed.

use std::sync::Arc;

use luci_messaging::store::number_holds::HoldDecision;

use crate::{App, caller::Caller, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    super::decide(app, caller, request, HoldDecision::Suppressed).await
}
