//! Compares the end of the stream with the log: where to continue, or why not to.

use async_nats::{
    HeaderName,
    jetstream::stream::{RawMessageErrorKind, Stream},
};
use luci_schema::{Position, log::Log};

use crate::relay::{RelayError, SessionEnd};

/// Header with the event's hash in lower hex.
pub(super) const HASH: HeaderName = HeaderName::from_static("Luci-Hash");

/// The position of the stream's last message; publishing continues after it.
pub(super) async fn reconcile(stream: &Stream, log: &Log) -> Result<Position, SessionEnd> {
    let last = last_sequence(stream).await?;
    if last.0 == 0 {
        return Ok(last);
    }
    let head = log.newest().await?;
    let Some(event) = log.read(Position(last.0 - 1), 1).await?.into_iter().next() else {
        return Err(SessionEnd::Fatal(RelayError::Ahead { stream: last, log: head }));
    };
    match published_hash(stream, last).await? {
        Some(hash) if hash == hex::encode(event.hash) => Ok(last),
        Some(_) => Err(SessionEnd::Fatal(RelayError::Diverged { position: last })),
        // The message has expired; only its sequence is left to compare.
        None => Ok(last),
    }
}

/// The stream's last sequence; the server keeps it even when the message has expired.
pub(super) async fn last_sequence(stream: &Stream) -> Result<Position, SessionEnd> {
    let info = stream.get_info().await.map_err(|e| SessionEnd::Retry(format!("stream EVT info: {e}")))?;
    Ok(Position(info.state.last_sequence))
}

/// The hash header of a message: empty when the header is missing, `None` when the message is.
async fn published_hash(stream: &Stream, at: Position) -> Result<Option<String>, SessionEnd> {
    match stream.get_raw_message(at.0).await {
        Ok(message) => Ok(Some(message.headers.get(HASH).map(ToString::to_string).unwrap_or_default())),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(SessionEnd::Retry(format!("message {at} of EVT: {error}"))),
    }
}
