//! Removes a damaged stream, so that the log is published again from its first event.

use async_nats::jetstream::{Context, ErrorCode, context::DeleteStreamErrorKind};
use luci_schema::subject::EVENT_STREAM;

use crate::relay::Damage;

/// Nothing is lost: every event is in the log. Consumers are recreated and get all deliveries; workers drop what is done.
///
/// # Errors
/// The broker's answer.
pub(super) async fn remove_stream(context: &Context, damage: &Damage) -> Result<(), String> {
    tracing::error!(%damage, stream = EVENT_STREAM, "stream differs from the log, publishing the log again");
    metrics::counter!("luci_relay_repairs_total").increment(1);
    match context.delete_stream(EVENT_STREAM).await {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            DeleteStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(()),
            _ => Err(format!("stream EVT ({damage}) cannot be removed: {error}")),
        },
    }
}
