//! Appends `import:completed`.

use luci_config::change::{Change, record as append};
use luci_leads::{
    read::upload::ImportSummary,
    store::imports::{self, Import, ImportStatus},
};
use luci_schema::{ConfigEvent, Hash, ImportId, Position, event::ImportCompleted, log::Receipt};
use serde_json::{Value, json};
use sqlx::PgConnection;
use warp::reply::Response;

use crate::{
    App,
    caller::Caller,
    idempotency::{self, Command},
    problem::Problem,
};

/// Appends `import:completed` in the transaction of the import's row. The checksum of the file is the body digest of the receipt.
pub async fn record(
    app: &App,
    c: &mut PgConnection,
    caller: &Caller,
    command: &Command,
    import: &Import,
    checksum: &str,
    summary: &ImportSummary,
) -> Result<Position, Problem> {
    let completed = ImportCompleted {
        import_id: import.id,
        object_path: import.object_path.clone(),
        size_bytes: summary.size_bytes,
        checksum: checksum.into(),
        rows: summary.rows,
    };
    let digest = digest(checksum)?;
    let change = Change::first(import.id, vec![ConfigEvent::ImportCompleted(Box::new(completed)).into()])
        .with_receipt(command.receipt(digest, &outcome(import, summary)));
    Ok(append(&app.log, c, caller.tenant, change, &command.by(caller)).await?)
}

pub fn outcome(import: &Import, summary: &ImportSummary) -> Value {
    idempotency::created(json!({"importId": import.id, "fileName": import.file_name, "status": ImportStatus::Completed,
        "key": import.object_path, "rows": summary.rows, "sizeBytes": summary.size_bytes,
        "checksum": import.checksum, "summary": summary}))
}

/// The stored outcome with the preview, which holds personal data and is in no receipt.
pub async fn answer(app: &App, caller: &Caller, outcome: &Value, position: Position) -> Result<Response, Problem> {
    let mut outcome = outcome.clone();
    let id: Option<ImportId> = outcome["importId"].as_str().and_then(|id| id.parse().ok());
    if let Some(id) = id {
        let mut c = app.engine_pool.acquire().await?;
        let import = imports::get(&mut c, caller.tenant, id).await?;
        outcome["preview"] = json!(import.and_then(|import| import.preview));
    }
    Ok(idempotency::accepted(&outcome, position))
}

/// `answer` from the receipt of an earlier call with the same file.
pub async fn replay(app: &App, caller: &Caller, receipt: &Receipt, digest: Hash) -> Result<Response, Problem> {
    if receipt.body_digest != digest {
        return Err(Problem::key_reused());
    }
    answer(app, caller, &receipt.outcome, receipt.position).await
}

pub fn digest(checksum: &str) -> Result<Hash, Problem> {
    let mut digest: Hash = [0; 32];
    hex::decode_to_slice(checksum, &mut digest).map_err(|error| Problem::internal(&error))?;
    Ok(digest)
}
