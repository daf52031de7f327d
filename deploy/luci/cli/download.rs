//! A file of the gateway, to standard output or into a file that is only there when it is whole.

use std::path::Path;

use anyhow::Context;
use futures::TryStreamExt;
use tokio::io::AsyncWriteExt;

use super::{Outcome, client::Api, out};
use crate::process::telemetry;

/// Reads `path` of the API.
///
/// # Errors
/// When the answer breaks off, or the file cannot be written; a file that was begun is removed.
pub async fn to(api: &Api, path: &str, file: Option<&Path>) -> anyhow::Result<Outcome> {
    let mut bytes = api.get_stream(path).await?.bytes_stream();
    let broken = "the gateway broke off: the file is not whole";
    let Some(file) = file else {
        while let Some(chunk) = bytes.try_next().await.context(broken)? {
            out::write(&chunk)?;
        }
        return Ok(Outcome::Done);
    };
    // Beside it, and not the same for `run.csv` and `run.ndjson`.
    let mut part = file.as_os_str().to_owned();
    part.push(".part");
    let part = std::path::PathBuf::from(part);
    let written = async {
        let mut target = tokio::fs::File::create(&part).await?;
        let mut size = 0;
        while let Some(chunk) = bytes.try_next().await.context(broken)? {
            target.write_all(&chunk).await?;
            size += chunk.len();
        }
        target.sync_all().await?;
        tokio::fs::rename(&part, file).await?;
        anyhow::Ok(size)
    };
    match written.await {
        Ok(size) => {
            telemetry::notice(format_args!("{}  {size} bytes", file.display()));
            Ok(Outcome::Done)
        }
        Err(error) => {
            let _ = tokio::fs::remove_file(&part).await;
            Err(error.context(format!("cannot write {}", file.display())))
        }
    }
}
