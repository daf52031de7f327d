//! What remembers the seals outside database and store: a file, a stream of the broker, and another bucket. The log is not sealed
//! while one of them knows a seal that the database lacks.

use luci_schema::{
    Position,
    log::{LogError, seals_after},
};
use luci_storage::StorageError;
use sqlx::PgConnection;

use crate::{
    seal_bucket::SealBucket,
    seal_stream::{SealStream, SealStreamError},
    seal_witness::{SealWitness, WitnessedSeal},
};

/// Seals read at once.
const PAGE: u32 = 20;

/// The witnesses of one sealer; each may be absent.
#[derive(Debug, Clone, Default)]
pub struct SealMemory {
    pub file: Option<SealWitness>,
    pub broker: Option<SealStream>,
    pub bucket: Option<SealBucket>,
}

#[derive(Debug, thiserror::Error)]
pub enum SealMemoryError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(
        "{memory} knows that position {known} was sealed, the database has seals up to position {found}: seals were removed, \
         or the database was restored to an earlier state. Nothing is sealed again. See `luci audit seals`"
    )]
    Removed { memory: String, known: Position, found: Position },
    #[error("{memory} knows another seal {0} than the database: seals were replaced. Nothing is sealed again", memory = .1)]
    Replaced(u64, String),
    #[error("the witness of seals cannot be used: {0}")]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Broker(#[from] SealStreamError),
    #[error("the bucket of seals cannot be used: {0}")]
    Bucket(#[from] StorageError),
}

impl SealMemoryError {
    /// An operator must act.
    pub fn is_tampering(&self) -> bool {
        matches!(self, Self::Removed { .. } | Self::Replaced(..))
    }

    /// The witness does not answer; the log is sealed without it meanwhile.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Broker(_) | Self::Bucket(_))
    }
}

impl SealMemory {
    /// Compares what the witnesses know with the database, whose last seal ends at `found`. Then the file gets the seals that
    /// a crash kept from it.
    ///
    /// # Errors
    /// `Removed` and `Replaced`: nothing may be sealed. A broker or bucket that is away is none: the log is sealed without it too.
    pub async fn compare(&self, c: &mut PgConnection, found: Position) -> Result<(), SealMemoryError> {
        if let Some(file) = &self.file {
            let known = file.read()?.last().copied();
            same(c, known, found, &format!("the witness {}", file.path().display())).await?;
            let mut after = known.map_or(0, |known| known.seal_id);
            while let page = seals_after(c, after, PAGE).await?
                && let Some(newest) = page.last()
            {
                after = newest.seal_id;
                page.iter().try_for_each(|seal| file.add(seal.into()))?;
            }
        }
        if let Some(broker) = &self.broker {
            match broker.last().await {
                Ok(known) => same(c, known, found, "stream SEALS").await?,
                Err(error) => tracing::warn!(%error, "seals not compared with the broker"),
            }
        }
        if let Some(bucket) = &self.bucket {
            match bucket.last().await {
                Ok(known) => same(c, known, found, "the bucket of seals").await?,
                Err(error) => tracing::warn!(%error, "seals not compared with the bucket"),
            }
        }
        Ok(())
    }

    /// Gives broker and bucket the seals that they lack: the newest, and those of a time when they were away or were wiped.
    ///
    /// # Errors
    /// Of the first that failed; the other has got its seals all the same.
    pub async fn publish(&self, c: &mut PgConnection) -> Result<(), SealMemoryError> {
        let to_broker = self.to_broker(c).await;
        self.to_bucket(c).await.and(to_broker)
    }

    async fn to_broker(&self, c: &mut PgConnection) -> Result<(), SealMemoryError> {
        let Some(broker) = &self.broker else { return Ok(()) };
        let mut after = broker.last().await?.map_or(0, |known| known.seal_id);
        while let page = seals_after(c, after, PAGE).await?
            && let Some(newest) = page.last()
        {
            after = newest.seal_id;
            for seal in &page {
                broker.add(seal).await?;
            }
        }
        Ok(())
    }

    async fn to_bucket(&self, c: &mut PgConnection) -> Result<(), SealMemoryError> {
        let Some(bucket) = &self.bucket else { return Ok(()) };
        let mut after = bucket.newest().await?;
        while let page = seals_after(c, after, PAGE).await?
            && let Some(newest) = page.last()
        {
            after = newest.seal_id;
            for seal in &page {
                bucket.add(seal).await?;
            }
        }
        Ok(())
    }
}

/// The newest seal that a witness knows is in the database.
async fn same(
    c: &mut PgConnection,
    known: Option<WitnessedSeal>,
    found: Position,
    memory: &str,
) -> Result<(), SealMemoryError> {
    let Some(known) = known else { return Ok(()) };
    let here = seals_after(c, known.seal_id.saturating_sub(1), 1).await?;
    match here.first().map(WitnessedSeal::from) {
        Some(here) if here == known => Ok(()),
        Some(here) if here.seal_id == known.seal_id => Err(SealMemoryError::Replaced(known.seal_id, memory.to_owned())),
        _ => Err(SealMemoryError::Removed { memory: memory.to_owned(), known: known.to_position, found }),
    }
}
