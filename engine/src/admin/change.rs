//! A change of configuration: who makes it, how it is appended, and how it can fail.

use luci_schema::{
    Actor, CommandId, CorrelationId, Event, EventId, Position, StreamId, TenantId, Version,
    log::{Append, AppendError, Log, LogError, NewReceipt},
};
use sqlx::PgConnection;

use super::{tenants, vault::VaultError};
use crate::storage::StorageError;

/// Who changes something, and the command it is known by.
#[derive(Debug, Clone)]
pub struct By {
    pub actor: Actor,
    pub command: CommandId,
    pub correlation: CorrelationId,
}

impl By {
    /// A change that the operator or the software itself makes, once.
    pub fn system() -> Self {
        let command = CommandId::derive(&["once", &EventId::generate().to_string()]);
        Self { actor: Actor::System, command, correlation: CorrelationId::generate() }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    #[error("no such {0}")]
    NotFound(&'static str),
    /// The name is in use.
    #[error("{field} `{value}` is taken")]
    Taken { field: &'static str, value: String },
    #[error("{field}: {reason}")]
    Invalid { field: &'static str, reason: String },
    /// Several things are wrong: field and reason of each.
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

/// Remembers what came of a command that has appended nothing of its own. Nothing to remember: the log's end as it is known.
pub async fn remember(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    if receipt.is_none() {
        return Ok(log.head());
    }
    let version = tenants::hold(c, tenant, log).await?;
    record(log, c, tenant, Change::after(tenant, version, Vec::new()).remembered(receipt), by).await
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

    /// With what to remember of the command, when it came from outside with a key.
    pub fn remembered(mut self, receipt: Option<NewReceipt>) -> Self {
        self.receipt = receipt;
        self
    }
}
