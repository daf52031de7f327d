//! A JetStream stream that remembers every seal outside database and store: the message of seal n has sequence n. It is not
//! EVT, whose sequences are positions.

use async_nats::{
    Client, HeaderMap, HeaderName,
    jetstream::{
        Context,
        stream::{Config, RawMessageErrorKind, RetentionPolicy, StorageType, Stream},
    },
};
use luci_schema::seal::Seal;

use crate::{broker, seal_witness::WitnessedSeal};

/// The stream of all seals, and its subjects; seal 7 is published on `seal.7`.
pub const SEAL_STREAM: &str = "SEALS";
const SUBJECTS: &str = "seal.>";
const EXPECTED: HeaderName = HeaderName::from_static("Nats-Expected-Last-Sequence");

/// The stream, or the broker, does not answer as it should.
#[derive(Debug, thiserror::Error)]
#[error("stream SEALS: {0}")]
pub struct SealStreamError(String);

fn failed(error: impl std::fmt::Display) -> SealStreamError {
    SealStreamError(error.to_string())
}

/// The stream as a witness.
#[derive(Clone)]
pub struct SealStream(Context);

impl std::fmt::Debug for SealStream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(SEAL_STREAM)
    }
}

impl SealStream {
    pub fn on(client: &Client) -> Self {
        Self(broker::jetstream(client))
    }

    /// The newest seal that the stream has; `None` when there is no stream, or it is empty.
    pub async fn last(&self) -> Result<Option<WitnessedSeal>, SealStreamError> {
        let Some(stream) = self.find().await? else { return Ok(None) };
        match stream.cached_info().state.last_sequence {
            0 => Ok(None),
            last => self.seal_at(&stream, last).await,
        }
    }

    /// All seals that the stream has, in order of their numbers.
    pub async fn read(&self) -> Result<Vec<WitnessedSeal>, SealStreamError> {
        let Some(stream) = self.find().await? else { return Ok(Vec::new()) };
        let state = &stream.cached_info().state;
        let mut seals = Vec::new();
        for sequence in state.first_sequence.max(1)..=state.last_sequence {
            seals.extend(self.seal_at(&stream, sequence).await?);
        }
        Ok(seals)
    }

    /// Publishes a seal; the one before it must be the last.
    pub async fn add(&self, seal: &Seal) -> Result<(), SealStreamError> {
        if self.find().await?.is_none() {
            self.0.create_stream(config()).await.map_err(failed)?;
        }
        let mut headers = HeaderMap::new();
        headers.insert(EXPECTED, (seal.seal_id - 1).to_string());
        let (subject, body) = (format!("seal.{}", seal.seal_id), serde_json::to_vec(seal).map_err(failed)?);
        let ack = self.0.publish_with_headers(subject, headers, body.into()).await.map_err(failed)?;
        ack.await.map(drop).map_err(failed)
    }

    /// Removes the stream when it has seals after `last`, which an operator left behind. The sealer publishes the others again.
    pub(crate) async fn leave_behind(&self, last: u64) -> Result<(), SealStreamError> {
        let Some(stream) = self.find().await? else { return Ok(()) };
        if stream.cached_info().state.last_sequence <= last {
            return Ok(());
        }
        self.0.delete_stream(SEAL_STREAM).await.map(drop).map_err(failed)
    }

    async fn find(&self) -> Result<Option<Stream>, SealStreamError> {
        broker::find_stream(&self.0, SEAL_STREAM).await.map_err(failed)
    }

    /// `None` when the message was removed.
    async fn seal_at(&self, stream: &Stream, sequence: u64) -> Result<Option<WitnessedSeal>, SealStreamError> {
        match stream.get_raw_message(sequence).await {
            Ok(message) => {
                let seal: Seal = serde_json::from_slice(&message.payload)
                    .map_err(|error| SealStreamError(format!("message {sequence} is not a seal: {error}")))?;
                Ok(Some(WitnessedSeal::from(&seal)))
            }
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(failed(error)),
        }
    }
}

fn config() -> Config {
    Config {
        name: SEAL_STREAM.into(),
        description: Some("Seals of LUCI's log; sequence = number of the seal, published by the sealer alone".into()),
        subjects: vec![SUBJECTS.into()],
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        deny_delete: true,
        deny_purge: true,
        ..Config::default()
    }
}
