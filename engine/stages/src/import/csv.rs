//! Reads the rows of an uploaded CSV, starting at a byte offset.
//!
//! A block reads some 50 KB of a file that may have hundreds of MB, so a process reads each file once as a whole, compares it
//! with what was recorded, and keeps the hash of every 64 KiB; what its blocks read is compared with these hashes.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use futures::TryStreamExt;
use lru::LruCache;
use luci_leads::{
    Lead, lead_id,
    read::{
        csv_row::{Limits, Row, RowReader, Step},
        csv_text::Cells,
        export_columns, file_header,
        layout::{Layout, ReadOptions},
        raw_row,
        upload::UploadError,
    },
    store::imports,
};
use luci_runs::block::{BlockFault, Task};
use luci_schema::{
    FailureCode,
    event::{Cursor, ObjectDigest, RunInput},
};
use luci_storage::VerifiedObject;

use crate::{
    corrected,
    kind::Tools,
    outcome::{Outcome, database_failed, storage_failed},
};

const CACHED_FILES: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");

/// Recent files: verified, and their layouts, since every block of a run needs both.
pub(super) struct Files(Mutex<LruCache<(String, ObjectDigest), CsvFile>>);

#[derive(Clone)]
struct CsvFile {
    verified: Arc<VerifiedObject>,
    /// That of an import in a run never changes.
    layout: Arc<Layout>,
}

impl Default for Files {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CACHED_FILES)))
    }
}

impl Files {
    async fn of(
        &self,
        task: &Task,
        tools: &Tools,
        object_path: &str,
        digest: &ObjectDigest,
    ) -> Result<CsvFile, BlockFault> {
        let key = (object_path.to_owned(), digest.clone());
        let cached = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        // An erasure replaces the object, and what was verified is no longer there.
        if let Some(file) = cached
            && tools.storage.head(file.verified.object_path()).await.map_err(storage_failed)?.is_some()
        {
            return Ok(file);
        }
        let verified = tools.storage.verify_whole(object_path, digest).await.map_err(storage_failed)?;
        let layout = match stored_layout(task, tools).await? {
            Some(layout) => layout,
            None => read_layout(tools, &verified).await?,
        };
        let file = CsvFile { verified, layout: Arc::new(layout) };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, file.clone());
        Ok(file)
    }
}

/// The layout that was decided when the upload completed.
async fn stored_layout(task: &Task, tools: &Tools) -> Result<Option<Layout>, BlockFault> {
    let RunInput::Import { import_id, .. } = task.run.input else { return Ok(None) };
    let mut c = tools.pool.acquire().await.map_err(database_failed)?;
    imports::layout(&mut c, task.tenant, import_id).await.map_err(database_failed)
}

/// The layout of a file that was counted by an earlier version, which stored none.
async fn read_layout(tools: &Tools, file: &Arc<VerifiedObject>) -> Result<Layout, BlockFault> {
    let options = ReadOptions::default();
    let mut bytes = tools.storage.read_verified(file, 0);
    let mut first = Vec::new();
    loop {
        let chunk = bytes.try_next().await.map_err(storage_failed)?;
        first.extend_from_slice(chunk.as_deref().unwrap_or_default());
        match file_header::header(&first, chunk.is_none(), Limits::default(), &options).map_err(unreadable)? {
            Some(header) => return header.layout(header.dialect.encoding, &options).map_err(unreadable),
            None if chunk.is_none() => return Err(unreadable(UploadError::Empty)),
            None => {}
        }
    }
}

/// Writes up to one block of rows; returns where the next block starts, `None` at the end of the file.
pub(super) async fn read(
    files: &Files,
    task: &Task,
    tools: &Tools,
    (object_path, digest, cursor): (&str, &ObjectDigest, &Cursor),
    outcome: &mut Outcome<'_>,
) -> Result<Option<Cursor>, BlockFault> {
    let CsvFile { verified, layout } = files.of(task, tools, object_path, digest).await?;
    let mut at = if cursor.offset == 0 {
        Cursor { offset: layout.offset, line: layout.line, ..Cursor::default() }
    } else {
        cursor.clone()
    };
    let last = cursor.rows + u64::from(task.run.options.block_size);
    let columns = Some(layout.columns());
    let mut rows = RowReader::new(layout.dialect(), columns, Limits::default(), at.offset, at.line);
    let mut bytes = tools.storage.read_verified(&verified, at.offset);
    loop {
        match rows.step() {
            Step::End => return Ok(None),
            Step::More => match bytes.try_next().await.map_err(storage_failed)? {
                Some(chunk) => rows.push(&chunk),
                None => rows.finish(),
            },
            Step::Row(_) if at.rows == last => return Ok(Some(at)),
            Step::Row(row) => {
                at = Cursor { offset: row.next_offset, line: row.next_line, rows: at.rows + 1, after: None };
                outcome.success(&lead(task, &layout, rows.cells(), row, at.rows)).await?;
            }
        }
    }
}

/// The lead of row `number`: in a corrected export the one that the row names, else one whose id derives from file and row.
fn lead(task: &Task, layout: &Layout, cells: &Cells, row: Row, number: u64) -> Lead {
    let mark =
        corrected::reads_correction(task).then(|| export_columns::exported_row(&layout.mapping, cells)).flatten();
    let mut lead = match (mark, &task.run.input) {
        (Some(mark), _) => Lead::bare(mark.lead, mark.row, row.line),
        (None, RunInput::Import { import_id, .. }) => {
            Lead::bare(lead_id(&import_id.to_string(), number), number, row.line)
        }
        (None, _) => Lead::bare(lead_id(&task.run.root_input_id, number), number, row.line),
    };
    raw_row::fill(&mut lead, layout, cells, &row);
    lead
}

/// The file was valid when it was uploaded: another release read it then.
fn unreadable(error: impl std::fmt::Display) -> BlockFault {
    BlockFault::new(FailureCode::Validation, format!("the file cannot be read: {error}"))
}
