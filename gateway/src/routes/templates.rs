//! /api/templates: the tenant's texts, and publishing one (or the next version of one).

use std::sync::Arc;

use http::StatusCode;
use luci_engine::admin::templates::{self, Draft};
use luci_schema::{TemplateId, object_key::TemplateChannel};
use serde::Deserialize;
use serde_json::json;

use super::Answer;
use crate::{
    App,
    ask::Ask,
    caller::Caller,
    idempotency::{self, Begun},
    problem::Problem,
    serve,
};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TemplateBody {
    /// To publish its next version.
    template_id: Option<TemplateId>,
    #[serde(default = "sms")]
    channel: String,
    name: String,
    body: String,
}

fn sms() -> String {
    "sms".to_owned()
}

pub async fn list(app: Arc<App>, caller: Caller, _ask: Ask) -> Answer {
    let mut c = app.engine_pool.acquire().await?;
    let templates = templates::list(&mut c, caller.tenant).await?;
    Ok(serve::json(StatusCode::OK, &json!({"templates": templates})))
}

/// With every version's text.
pub async fn get(app: Arc<App>, caller: Caller, ask: Ask) -> Answer {
    let id: TemplateId = ask.id(0, "template")?;
    let mut c = app.engine_pool.acquire().await?;
    let template = templates::get(&mut c, caller.tenant, id).await?.ok_or_else(|| Problem::not_found("template"))?;
    drop(c);
    let texts = templates::texts(&app.storage, &template).await?;
    Ok(serve::json(StatusCode::OK, &json!({"template": template, "versions": texts})))
}

pub async fn publish(app: Arc<App>, caller: Caller, mut ask: Ask) -> Answer {
    let (body, digest) = ask.json::<TemplateBody>().await?;
    let channel: TemplateChannel =
        body.channel.parse().map_err(|_| Problem::invalid("channel", "sms, email or voicemail"))?;
    let command = match idempotency::begin(&app, &caller, &ask, digest).await? {
        Begun::Done(response) => return Ok(response),
        Begun::Fresh(command) => command,
    };
    let draft = Draft { id: body.template_id, channel, name: body.name, body: body.body };
    let outcome = |id, version| json!({"httpStatus": 201, "templateId": id, "version": version});
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
