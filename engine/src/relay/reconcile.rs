//! The stream's end compared with the log: where to go on, or why not to.

use async_nats::{
    HeaderName,
    jetstream::stream::{RawMessageErrorKind, Stream},
};
use luci_schema::{Position, log::Log};

use super::{RelayError, Trouble};

/// Header with the event's hash in lower hex.
pub(super) const HASH: HeaderName = HeaderName::from_static("Luci-Hash");

/// The position that the stream has; the next event goes behind it.
pub(super) async fn reconcile(stream: &Stream, log: &Log) -> Result<Position, Trouble> {
    let last = last_sequence(stream).await?;
    if last.0 == 0 {
        return Ok(last);
    }
    let head = log.newest().await?;
    let Some(event) = log.read(Position(last.0 - 1), 1).await?.into_iter().next() else {
        return Err(Trouble::Fatal(RelayError::Ahead { stream: last, log: head }));
    };
    match published_hash(stream, last).await? {
        Some(hash) if hash == hex::encode(event.hash) => Ok(last),
        Some(_) => Err(Trouble::Fatal(RelayError::Diverged { position: last })),
        // Aged out of the stream: its sequence is all that is left of it.
        None => Ok(last),
    }
}

/// The last sequence that the stream gave out; kept by the server even when its message aged out.
pub(super) async fn last_sequence(stream: &Stream) -> Result<Position, Trouble> {
    let info = stream.get_info().await.map_err(|e| Trouble::Again(format!("stream EVT: {e}")))?;
    Ok(Position(info.state.last_sequence))
}

/// The hash header of a message: empty when it has none, `None` when the message is gone.
async fn published_hash(stream: &Stream, at: Position) -> Result<Option<String>, Trouble> {
    match stream.get_raw_message(at.0).await {
        Ok(message) => Ok(Some(message.headers.get(HASH).map(ToString::to_string).unwrap_or_default())),
        Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
        Err(error) => Err(Trouble::Again(format!("message {at} of EVT: {error}"))),
    }
}
