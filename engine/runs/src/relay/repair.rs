//! Removes a damaged stream, so that the log is published again from its first event.

use async_nats::{
    Client,
    jetstream::{Context, ErrorCode, context::DeleteStreamErrorKind},
};
use luci_schema::subject::EVENT_STREAM;

use crate::{
    broker::{self, BrokerError},
    relay::Damage,
};

/// Nothing is lost: every event is in the log. Consumers are recreated and get all deliveries; workers skip what is done.
///
/// # Errors
/// The broker's answer.
pub(super) async fn remove_damaged(context: &Context, damage: &Damage) -> Result<(), String> {
    tracing::error!(%damage, stream = EVENT_STREAM, "stream differs from the log, publishing the log again");
    metrics::counter!("luci_relay_repairs_total").increment(1);
    remove(context).await.map_err(|error| format!("stream EVT ({damage}) cannot be removed: {error}"))
}

/// Removes the stream because an operator says so, whatever it has; the relay publishes the log into a new one.
pub async fn remove_stream(client: &Client) -> Result<(), BrokerError> {
    remove(&broker::jetstream(client)).await.map_err(BrokerError::Stream)
}

async fn remove(context: &Context) -> Result<(), String> {
    match context.delete_stream(EVENT_STREAM).await {
        Ok(_) => Ok(()),
        Err(error) => match error.kind() {
            DeleteStreamErrorKind::JetStream(e) if e.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(()),
            _ => Err(error.to_string()),
        },
    }
}
