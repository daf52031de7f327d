//! Turns the file of a form into a completed import, and starts the run that stores its rows.

use luci_config::change::{Change, record};
use luci_leads::{
    legacy::upload_counts::{self, UploadCounts},
    store::{
        imports::{self, NewImport},
        legacy_uploads::{self, LegacyUpload},
    },
};
use luci_schema::{
    ConfigEvent, Hash, ImportId, Micros, ObjectDigest, Position, RunId, SectorId, event::ImportCompleted, log::Receipt,
};
use serde_json::{Value, json};
use warp::reply::Response;

use super::{form::StoredFile, store_run::StoreRun};
use crate::{
    App,
    caller::Caller,
    idempotency::{self, Command},
    problem::Problem,
    routes::imports::{create::delete_file, csv_file::limits},
};

/// A file of a form, with what it holds.
pub struct StoredUpload<'a> {
    pub file: &'a StoredFile,
    pub counts: UploadCounts,
    pub run: Option<StoreRun>,
    /// The row of a bucket's file.
    pub listed: Option<LegacyUpload>,
}

impl<'a> StoredUpload<'a> {
    /// Counts the file. A run is started when at least one row can become a lead.
    pub async fn of(
        app: &App,
        file: &'a StoredFile,
        sector: Option<SectorId>,
        block_size: Option<u32>,
    ) -> Result<Self, Problem> {
        let size_bytes = file.written.size_bytes;
        let digest = ObjectDigest { size_bytes, checksum: file.written.checksum.clone() };
        let verified = app.storage.verify_whole(&file.key.to_string(), &digest).await?;
        let layout = &file.counted.layout;
        let bytes = app.storage.read_verified(&verified, layout.offset);
        let counts = upload_counts::count(bytes, layout, limits(app)).await?;
        let (import, rows) = (file.import_id, file.counted.summary.rows);
        let run = (counts.valid > 0).then(|| StoreRun { run: RunId::generate(), import, sector, rows, block_size });
        Ok(Self { file, counts, run, listed: None })
    }

    /// The keys that every reply has besides the old ones.
    pub fn add_new_keys(&self, reply: &mut Value) {
        reply["key"] = json!(self.file.key);
        reply["importId"] = json!(self.file.import_id);
        reply["runId"] = json!(self.run.map(|run| run.run));
        // What a repeated call needs to start the run, if the first one could not.
        reply["rows"] = json!(self.file.counted.summary.rows);
    }

    /// Records the import and its event in one transaction, then starts the run.
    pub async fn commit(
        self,
        app: &App,
        caller: &Caller,
        command: &Command,
        (digest, outcome): (Hash, Value),
    ) -> Result<Response, Problem> {
        match self.record(app, caller, command, (digest, &outcome)).await {
            Ok(position) => {
                if let Some(run) = self.run {
                    run.start(app, caller).await?;
                }
                Ok(idempotency::accepted(&outcome, position))
            }
            Err(problem) => {
                delete_file(app, caller, &self.import(caller)).await?;
                // If a concurrent call executed the same command, its response is repeated.
                let receipt = command.find_receipt(app, caller).await?.ok_or(problem)?;
                repeat(app, caller, &receipt, digest).await
            }
        }
    }

    fn import(&self, caller: &Caller) -> NewImport {
        NewImport {
            id: self.file.import_id,
            file_name: self.file.file_name.clone(),
            object_path: self.file.key.to_string(),
            staged: false,
            content_type: "text/csv".into(),
            size_bytes: None,
            checksum: None,
            created_by: caller.author().to_string(),
            created_at: self.file.created_at,
        }
    }

    async fn record(
        &self,
        app: &App,
        caller: &Caller,
        command: &Command,
        (digest, outcome): (Hash, &Value),
    ) -> Result<Position, Problem> {
        let (new, checksum) = (self.import(caller), &self.file.written.checksum);
        let mut tx = app.engine_pool.begin().await?;
        imports::begin(&mut tx, caller.tenant, &new).await?;
        imports::complete(&mut tx, caller.tenant, new.id, checksum, &self.file.counted, Micros::now()).await?;
        if let Some(listed) = &self.listed {
            legacy_uploads::add(&mut tx, caller.tenant, listed).await?;
        }
        let summary = &self.file.counted.summary;
        let completed = ImportCompleted {
            import_id: new.id,
            object_path: new.object_path,
            size_bytes: summary.size_bytes,
            checksum: checksum.clone(),
            rows: summary.rows,
        };
        let change = Change::first(new.id, vec![ConfigEvent::ImportCompleted(Box::new(completed)).into()])
            .with_receipt(command.receipt(digest, outcome));
        let position = record(&app.log, &mut tx, caller.tenant, change, &command.by(caller)).await?;
        tx.commit().await?;
        app.log.wake();
        Ok(position)
    }
}

/// The answer of an earlier call with the same form; starts its run if that call could not.
pub async fn repeat(app: &App, caller: &Caller, receipt: &Receipt, digest: Hash) -> Result<Response, Problem> {
    let answer = idempotency::replay(receipt, digest)?;
    let of = |name: &str| receipt.outcome[name].as_str();
    let import: Option<ImportId> = of("importId").and_then(|id| id.parse().ok());
    let run: Option<RunId> = of("runId").and_then(|id| id.parse().ok());
    if let (Some(import), Some(run)) = (import, run) {
        let sector = of("sectorId").and_then(|id| id.parse().ok());
        let block_size = receipt.outcome["blockSize"].as_u64().and_then(|size| u32::try_from(size).ok());
        let rows = receipt.outcome["rows"].as_u64().unwrap_or(0);
        StoreRun { run, import, sector, rows, block_size }.start(app, caller).await?;
    }
    Ok(answer)
}
