//! `DELETE /api/automations/{automationId}`: removes an automation.

use std::sync::Arc;

use luci_config::automations::AutomationChange;

use crate::{App, caller::Caller, request::Request, routes::HandlerResult};

pub async fn handle(app: Arc<App>, caller: Caller, request: Request) -> HandlerResult {
    super::change(app, caller, request, AutomationChange::Remove, "removed", [0; 32]).await
}
