//! `POST /api/datalake/import`: a CSV of businesses or contacts. Its rows become an import, and a run stores them as leads.

use std::sync::Arc;

use serde_json::json;

use super::{bad_fields, form::Form, receive::receive, stored_upload::StoredUpload};
use crate::{
    App,
    caller::Caller,
    idempotency::{self, Command},
    problem::Problem,
    request::Request,
    routes::HandlerResult,
};

const FIELDS: [&str; 2] = ["type", "batchSize"];

pub async fn handle(app: Arc<App>, caller: Caller, mut request: Request) -> HandlerResult {
    let (command, form) = receive(&app, &caller, &mut request, &FIELDS).await?;
    let answer = import(&app, &caller, &command, &form).await;
    form.kept_if_imported(&app, &caller, answer).await
}

async fn import(app: &App, caller: &Caller, command: &Command, form: &Form) -> Result<warp::reply::Response, Problem> {
    let digest = form.digest()?;
    let Some(file) = form.stored() else { return Err(Problem::internal(&"a new form has no stored file")) };
    let (kind, block_size) = options(form)?;
    let upload = StoredUpload::of(app, file, None, block_size).await?;
    let counts = &upload.counts;
    let stored = if upload.run.is_some() { "a run stores them as leads" } else { "none can become a lead" };
    let mut reply = json!({
        "success": true,
        "message": format!("{} of {} rows ({kind}) imported; {stored}", counts.valid, counts.stats.total),
        "stats": {"totalRows": counts.stats.total, "inserted": counts.valid, "errors": counts.refused,
            "userId": caller.actor},
        "blockSize": block_size,
    });
    if !counts.errors.is_empty() {
        reply["errors"] = json!(counts.errors);
    }
    upload.add_new_keys(&mut reply);
    upload.commit(app, caller, command, (digest, idempotency::answered(reply))).await
}

/// `type` and `batchSize`, which is the size of the run's blocks.
fn options(form: &Form) -> Result<(&'static str, Option<u32>), Problem> {
    let mut errors = Vec::new();
    let kind = match form.text("type") {
        None | Some("business") => "business",
        Some("contact") => "contact",
        Some(other) => {
            errors.push(("type".to_owned(), format!("business or contact, found `{}`", shortened(other))));
            ""
        }
    };
    let size = match form.text("batchSize").map(|text| (text, text.parse::<u32>())) {
        None => None,
        Some((_, Ok(size @ 1..=1_000))) => Some(size),
        Some((text, _)) => {
            errors.push(("batchSize".to_owned(), format!("a number from 1 to 1000, found `{}`", shortened(text))));
            None
        }
    };
    if errors.is_empty() { Ok((kind, size)) } else { Err(bad_fields(errors)) }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}
