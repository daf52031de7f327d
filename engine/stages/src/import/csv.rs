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
        export_columns,
        file_header::{self, Header},
        mapping::Mapping,
        raw_row,
        upload::UploadError,
    },
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
    outcome::{Outcome, storage_failed},
};

const CACHED_FILES: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");

/// Recent files: verified, and their headers parsed, since every block of a run needs both.
pub(super) struct Files(Mutex<LruCache<(String, ObjectDigest), CsvFile>>);

#[derive(Clone)]
struct CsvFile {
    verified: Arc<VerifiedObject>,
    header: Arc<Header>,
}

impl Default for Files {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CACHED_FILES)))
    }
}

impl Files {
    async fn of(&self, tools: &Tools, object_path: &str, digest: &ObjectDigest) -> Result<CsvFile, BlockFault> {
        let key = (object_path.to_owned(), digest.clone());
        if let Some(file) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Ok(file.clone());
        }
        let verified = tools.storage.verify_whole(object_path, digest).await.map_err(storage_failed)?;
        let header = Arc::new(read_header(tools, &verified).await?);
        let file = CsvFile { verified, header };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(key, file.clone());
        Ok(file)
    }
}

async fn read_header(tools: &Tools, file: &Arc<VerifiedObject>) -> Result<Header, BlockFault> {
    let mut bytes = tools.storage.read_verified(file, 0);
    let mut first = Vec::new();
    loop {
        let chunk = bytes.try_next().await.map_err(storage_failed)?;
        first.extend_from_slice(chunk.as_deref().unwrap_or_default());
        match file_header::header(&first, chunk.is_none(), Limits::default()).map_err(unreadable)? {
            Some(header) => return Ok(header),
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
    let CsvFile { verified, header } = files.of(tools, object_path, digest).await?;
    let mut at = if cursor.offset == 0 {
        Cursor { offset: header.offset, line: header.line, ..Cursor::default() }
    } else {
        cursor.clone()
    };
    let last = cursor.rows + u64::from(task.run.options.block_size);
    let columns = Some(header.names.len());
    let mut rows = RowReader::new(header.delimiter, columns, Limits::default(), at.offset, at.line);
    let mut bytes = tools.storage.read_verified(&verified, at.offset);
    loop {
        match rows.step().map_err(unreadable)? {
            Step::End => return Ok(None),
            Step::More => match bytes.try_next().await.map_err(storage_failed)? {
                Some(chunk) => rows.push(&chunk),
                None => rows.finish(),
            },
            Step::Row(_) if at.rows == last => return Ok(Some(at)),
            Step::Row(row) => {
                at = Cursor { offset: row.next_offset, line: row.next_line, rows: at.rows + 1, after: None };
                outcome.success(&lead(task, &header.mapping, rows.cells(), row, at.rows)).await?;
            }
        }
    }
}

/// The lead of row `number`: in a corrected export the one that the row names, else one whose id derives from file and row.
fn lead(task: &Task, mapping: &Mapping, cells: &Cells, row: Row, number: u64) -> Lead {
    let mark = corrected::reads_correction(task).then(|| export_columns::exported_row(mapping, cells)).flatten();
    let mut lead = match (mark, &task.run.input) {
        (Some(mark), _) => Lead::bare(mark.lead, mark.row, row.line),
        (None, RunInput::Import { import_id, .. }) => {
            Lead::bare(lead_id(&import_id.to_string(), number), number, row.line)
        }
        (None, _) => Lead::bare(lead_id(&task.run.root_input_id, number), number, row.line),
    };
    lead.malformed = row.fault;
    raw_row::fill(&mut lead, mapping, cells);
    lead
}

/// The file was valid when it was uploaded: another release read it then.
fn unreadable(error: impl std::fmt::Display) -> BlockFault {
    BlockFault::new(FailureCode::Validation, format!("the file cannot be read: {error}"))
}
