//! What it costs an import that everything it reads is compared with what was recorded.

use std::{path::Path, time::Instant};

use bytes::Bytes;
use futures::{Stream, TryStreamExt as _};
use luci_schema::event::ObjectDigest;
use luci_storage::{Storage, StorageError};

use crate::{
    report::{Better, Bound, Report, Sample, median},
    steal,
};

/// Smaller objects are read whole before they are used, as a block's input is; larger ones are hashed once as a whole and again
/// part by part, as a CSV is.
const WHOLE: u64 = 8 << 20;

/// Reads each object of a finished import once, with and without comparing, and relates the difference to the import's time.
pub async fn bench(objects: &Path, import: &Sample, report: &mut Report) -> anyhow::Result<()> {
    let storage = Storage::local(objects.to_owned(), "unused".into(), String::new())?;
    let mut all = Vec::new();
    let mut listed = storage.list("");
    while let Some(object) = listed.try_next().await? {
        let (size_bytes, checksum) = storage.size_checksum(&object.path).await?;
        all.push((object.path, ObjectDigest { size_bytes, checksum }));
    }
    let [plain, verified] = steal::rounds(|| async {
        let began = Instant::now();
        for (path, _) in &all {
            drain(storage.read_from(path, 0)).await?;
        }
        let plain = began.elapsed().as_secs_f64();
        let began = Instant::now();
        for (path, digest) in &all {
            if digest.size_bytes <= WHOLE {
                storage.get_verified(path, digest).await?;
            } else {
                let object = storage.verify_whole(path, digest).await?;
                drain(storage.read_verified(&object, 0)).await?;
            }
        }
        Ok([plain, began.elapsed().as_secs_f64()])
    })
    .await?;
    let megabytes = all.iter().map(|(_, digest)| digest.size_bytes).sum::<u64>() / 1_000_000;
    report.add(&format!("reading the import's {} objects, {megabytes} MB", all.len()), "s", &plain, None, Bound::None);
    report.add("the same, compared with what was recorded", "s", &verified, Some(&plain), Bound::None);
    let of_import = |(verified, plain): (&f64, &f64)| (verified - plain).max(0.0) / import.value * 100.0;
    let rounds: Vec<f64> = verified.rounds.iter().zip(&plain.rounds).map(of_import).collect();
    let share = Sample { value: median(rounds.clone()), rounds, ..verified };
    report.add("verified reads, of the import's time", "%", &share, None, Bound::Value(Better::Less, 3.0, 1.0));
    Ok(())
}

async fn drain(mut bytes: impl Stream<Item = Result<Bytes, StorageError>> + Unpin) -> anyhow::Result<()> {
    while bytes.try_next().await?.is_some() {}
    Ok(())
}
