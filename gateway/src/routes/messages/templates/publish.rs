//! `POST /api/templates`: publishes a template, or the next version of one.

use std::sync::Arc;

use luci_messaging::store::templates::{self, TemplateDraft};
use luci_schema::{TemplateId, object_key::TemplateChannel};
use serde::Deserialize;
use serde_json::json;

use crate::{App, caller::Caller, idempotency, problem::Problem, request::Request, routes::HandlerResult};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TemplateBody {
    /// Set to publish the next version of this template.
    template_id: Option<TemplateId>,
    #[serde(default = "sms")]
    channel: String,
    name: String,
    body: String,
}

fn sms() -> String {
    "sms".to_owned()
}

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (body, digest) = request.json::<TemplateBody>().await?;
    let channel: TemplateChannel =
        body.channel.parse().map_err(|_| Problem::invalid("channel", "sms, email or voicemail"))?;
    let command = idempotency::check(&app, &caller, &request, digest).await?;
    let draft = TemplateDraft { id: body.template_id, channel, name: body.name, body: body.body };
    let outcome = |id, version| idempotency::created(json!({"templateId": id, "version": version}));
    let by = command.by(&caller);
    let mut tx = app.engine_pool.begin().await?;
    let published = templates::publish(&mut tx, &app.storage, caller.tenant, &app.log, draft, &by, |id, version| {
        command.receipt(digest, &outcome(id, version))
    });
    let (id, version, position) = published.await?;
    tx.commit().await?;
    app.log.wake();
    Ok(idempotency::accepted(&outcome(id, version), position))
}
