//! `POST /api/holds/release`: the sends of a number that is on hold go on.

use std::sync::Arc;

use luci_messaging::store::number_holds::HoldDecision;

use crate::{App, caller::Caller, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    super::decide(app, caller, request, HoldDecision::Released).await
}
