//! Reads the rows of an uploaded CSV, starting at a byte offset.

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
    event::{Cursor, RunInput},
};

use crate::{
    corrected,
    kind::Tools,
    outcome::{Outcome, storage_failed},
};

const CACHED_HEADERS: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");

/// Parsed headers of recent files: every block of a run needs the header, and a file never changes.
pub(super) struct Headers(Mutex<LruCache<String, Arc<Header>>>);

impl Default for Headers {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(CACHED_HEADERS)))
    }
}

impl Headers {
    async fn of(&self, tools: &Tools, object_path: &str) -> Result<Arc<Header>, BlockFault> {
        if let Some(header) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(object_path) {
            return Ok(header.clone());
        }
        let header = Arc::new(read_header(tools, object_path).await?);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).put(object_path.to_owned(), header.clone());
        Ok(header)
    }
}

async fn read_header(tools: &Tools, object_path: &str) -> Result<Header, BlockFault> {
    let mut bytes = tools.storage.read_from(object_path, 0);
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
    headers: &Headers,
    task: &Task,
    tools: &Tools,
    (object_path, cursor): (&str, &Cursor),
    outcome: &mut Outcome<'_>,
) -> Result<Option<Cursor>, BlockFault> {
    let header = headers.of(tools, object_path).await?;
    let mut at = if cursor.offset == 0 {
        Cursor { offset: header.offset, line: header.line, ..Cursor::default() }
    } else {
        cursor.clone()
    };
    let last = cursor.rows + u64::from(task.run.options.block_size);
    let columns = Some(header.names.len());
    let mut rows = RowReader::new(header.delimiter, columns, Limits::default(), at.offset, at.line);
    let mut bytes = tools.storage.read_from(object_path, at.offset);
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

/// The file was valid when it was uploaded, so it has changed since.
fn unreadable(error: impl std::fmt::Display) -> BlockFault {
    BlockFault::new(FailureCode::Validation, format!("the file cannot be read: {error}"))
}
