//! `POST /api/automations/{automationId}`: replaces the definition of an automation.

use std::sync::Arc;

use luci_config::automations::AutomationChange;

use crate::{
    App,
    caller::Caller,
    request::Request,
    routes::{HandlerResult, config::automations::definition::spec},
};

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let enabled = super::find(&app, &caller, &request).await?.enabled;
    let (spec, digest) = spec(&app, &caller, &mut request).await?;
    let status = if enabled { "enabled" } else { "disabled" };
    super::change(app, caller, request, AutomationChange::Update(Box::new(spec)), status, digest).await
}
