//! A change of configuration: who makes it, how its event is appended, and how it can fail.

use luci_schema::{
    Actor, CommandId, CorrelationId, Event, EventId, Position, StreamId, TenantId, Version,
    log::{Append, AppendError, Log, LogError, NewReceipt},
};
use luci_storage::StorageError;
use sqlx::PgConnection;

use crate::vault::VaultError;

/// Who makes a change, and the command that asked for it.
#[derive(Debug, Clone)]
pub struct By {
    pub actor: Actor,
    pub command: CommandId,
    pub correlation: CorrelationId,
}

impl By {
    /// A change by the operator or by LUCI itself, with a command id of its own.
    pub fn system() -> Self {
        let command = CommandId::derive(&["once", &EventId::generate().to_string()]);
        Self { actor: Actor::System, command, correlation: CorrelationId::generate() }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("no such {0}")]
    NotFound(&'static str),
    #[error("{field} `{value}` is taken")]
    Taken { field: &'static str, value: String },
    #[error("{field}: {reason}")]
    Invalid { field: &'static str, reason: String },
    /// Field and reason of each error.
    #[error("{}", .0.iter().map(|(field, reason)| format!("{field}: {reason}")).collect::<Vec<_>>().join("; "))]
    Fields(Vec<(String, String)>),
    #[error("the change could not be recorded")]
    Append(AppendError),
    #[error("the log cannot be read: {0}")]
    Log(LogError),
    #[error(transparent)]
    Vault(VaultError),
    #[error("the object store failed: {0}")]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<VaultError> for AdminError {
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(error) => Self::Database(error),
            error => Self::Vault(error),
        }
    }
}

impl From<AppendError> for AdminError {
    fn from(error: AppendError) -> Self {
        Self::Append(error)
    }
}

/// Appends the events of one stream inside the caller's transaction. The caller commits, then calls `log.wake()`.
pub async fn record(
    log: &Log,
    c: &mut PgConnection,
    tenant: TenantId,
    change: Change,
    by: &By,
) -> Result<Position, AdminError> {
    let append = Append {
        tenant,
        stream: change.stream,
        expected: change.expected,
        events: change.events,
        actor: by.actor,
        command: by.command.clone(),
        correlation: by.correlation,
        causation: None,
        receipt: change.receipt,
    };
    Ok(log.append_in(c, append).await?.position())
}

/// What a change appends to one stream.
pub struct Change {
    pub stream: StreamId,
    pub expected: Version,
    pub events: Vec<Event>,
    pub receipt: Option<NewReceipt>,
}

impl Change {
    /// The first events of a new stream.
    pub fn first(stream: impl Into<StreamId>, events: Vec<Event>) -> Self {
        Self { stream: stream.into(), expected: Version(0), events, receipt: None }
    }

    /// Events after `version` of a stream that exists.
    pub fn after(stream: impl Into<StreamId>, version: Version, events: Vec<Event>) -> Self {
        Self { stream: stream.into(), expected: version, events, receipt: None }
    }

    /// With the receipt of a command that has an idempotency key.
    pub fn with_receipt(mut self, receipt: Option<NewReceipt>) -> Self {
        self.receipt = receipt;
        self
    }
}
