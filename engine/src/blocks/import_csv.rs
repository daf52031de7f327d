//! Reads the rows of an uploaded CSV from a byte offset on.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use futures::TryStreamExt;
use lru::LruCache;
use luci_schema::{FailureCode, event::Cursor};

use super::outcome::{Outcome, storage_failed};
use crate::{
    block::{BlockFault, Task, Tools},
    lead::{
        csv_row::{Limits, RowReader, Step},
        intake,
        upload::{self, Header},
    },
};

const REMEMBERED: NonZeroUsize = NonZeroUsize::new(64).expect("64 is not zero");

/// Headers of files read lately: every block of a run needs its file's, and a file never changes.
pub(super) struct Headers(Mutex<LruCache<String, Arc<Header>>>);

impl Default for Headers {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

impl Headers {
    async fn of(&self, tools: &Tools, object_path: &str) -> Result<Arc<Header>, BlockFault> {
        if let Some(known) = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(object_path) {
            return Ok(known.clone());
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
        match upload::header(&first, chunk.is_none(), Limits::default()).map_err(unreadable)? {
            Some(header) => return Ok(header),
            None if chunk.is_none() => return Err(unreadable(upload::UploadError::Empty)),
            None => {}
        }
    }
}

/// Writes up to a block's rows and answers where the next block starts; none at the end of the file.
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
                let root = &task.run.root_input_id;
                let place = (row.line, row.fault);
                outcome.success(&intake::from_cells(&header.mapping, rows.cells(), root, at.rows, place)).await?;
            }
        }
    }
}

/// The file passed when it was uploaded; that it fails now says that it is not that file.
fn unreadable(error: impl std::fmt::Display) -> BlockFault {
    BlockFault::new(FailureCode::Validation, format!("the file cannot be read: {error}"))
}
