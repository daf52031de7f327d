//! The log's epoch, as stream EVT carries it in its metadata.

use async_nats::jetstream::{
    Context,
    stream::{Config, Stream},
};
use luci_schema::log::{Log, LogError, epochs};

use crate::{
    broker::EPOCH,
    relay::{Damage, RelayError, SessionEnd},
};

/// A stream of a former epoch may have events that the restored log does not have; an operator has accepted that, so it is
/// published again.
pub(super) async fn check_former(stream: &Stream, log: &Log) -> Result<(), SessionEnd> {
    let Some(found) = epoch_of(stream) else { return Ok(()) };
    if found != log.epoch() && known(log).await?.contains(&found) {
        return Err(SessionEnd::Damaged(Damage::FormerEpoch { epoch: found }));
    }
    Ok(())
}

/// After the messages were compared: an epoch that the log never had belongs to another log, or to a later state of this one.
/// A stream without one is of an older release, and gets the log's.
pub(super) async fn agree(context: &Context, stream: &Stream, log: &Log) -> Result<(), SessionEnd> {
    match epoch_of(stream) {
        Some(found) if found == log.epoch() => Ok(()),
        Some(found) => Err(SessionEnd::Fatal(RelayError::OtherEpoch { stream: found, log: log.epoch().to_owned() })),
        None => {
            let mut config: Config = stream.cached_info().config.clone();
            config.metadata.insert(EPOCH.to_owned(), log.epoch().to_owned());
            let updated = context.update_stream(&config).await;
            updated.map(drop).map_err(|e| SessionEnd::Retry(format!("stream EVT metadata: {e}")))
        }
    }
}

fn epoch_of(stream: &Stream) -> Option<String> {
    stream.cached_info().config.metadata.get(EPOCH).cloned()
}

async fn known(log: &Log) -> Result<Vec<String>, LogError> {
    Ok(epochs(&mut *log.pool().acquire().await.map_err(LogError::Database)?).await?)
}
