//! Writes a bundle from the log, page by page.

use std::{collections::VecDeque, sync::Arc};

use super::{
    EventText,
    bundle::{BundleDigest, Header, Scope, SealLine, Trailer},
};
use crate::{
    Hash, Position, Recorded, Version,
    log::{Log, LogError, hashes, last_seal, seal_over},
    recorded::GENESIS,
    seal::Seal,
};

/// Events read at once.
const PAGE: usize = 500;

/// Why a bundle cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("an event or a seal cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the log has no events there")]
    Empty,
}

impl From<sqlx::Error> for ExportError {
    fn from(error: sqlx::Error) -> Self {
        Self::Log(error.into())
    }
}

enum Stage {
    Header,
    Events,
    Done,
}

/// Reads a bundle from the log as text. It verifies nothing: who receives it does.
pub struct BundleReader {
    log: Log,
    scope: Scope,
    stage: Stage,
    /// Read and not written yet.
    page: VecDeque<Arc<Recorded>>,
    at: Position,
    version: Version,
    /// The last version of a stream: it may grow meanwhile.
    last_version: Version,
    /// The last position that is sealed: later seals are left out, so that they are one prefix.
    sealed: Position,
    seal: Option<Seal>,
    /// Positions of events since the last line of a seal.
    own: Vec<u64>,
    digest: BundleDigest,
    events: u64,
    seals: u64,
    head: Hash,
}

impl BundleReader {
    /// # Errors
    /// `Empty` when the stream does not exist for this tenant, or the range lies beyond the head.
    pub async fn open(log: Log, scope: Scope) -> Result<Self, ExportError> {
        let (mut at, mut last_version) = (Position(0), Version(0));
        match scope {
            Scope::Stream { stream, tenant } => {
                last_version = log.stream_head(tenant, stream).await?.ok_or(ExportError::Empty)?.0;
            }
            Scope::Tenant { from, to, .. } | Scope::Range { from, to } => {
                if from > to || from.0 == 0 || log.newest().await? < to {
                    return Err(ExportError::Empty);
                }
                at = Position(from.0 - 1);
            }
        }
        let sealed = last_seal(&mut *log.pool().acquire().await?).await?.map_or(Position(0), |seal| seal.to_position);
        Ok(Self {
            log,
            scope,
            stage: Stage::Header,
            page: VecDeque::new(),
            at,
            version: Version(0),
            last_version,
            sealed,
            seal: None,
            own: Vec::new(),
            digest: BundleDigest::of_header(b""),
            events: 0,
            seals: 0,
            head: GENESIS,
        })
    }

    /// The next lines, each with its line break; `None` behind the trailer.
    pub async fn next(&mut self) -> Result<Option<String>, ExportError> {
        match self.stage {
            Stage::Header => {
                let mut text = serde_json::to_string(&Header::from(self.scope))?;
                self.digest = BundleDigest::of_header(text.as_bytes());
                text.push('\n');
                self.stage = Stage::Events;
                Ok(Some(text))
            }
            Stage::Events => {
                self.read_page().await?;
                if self.page.is_empty() {
                    self.stage = Stage::Done;
                    return self.end().await.map(Some);
                }
                self.write_page().await.map(Some)
            }
            Stage::Done => Ok(None),
        }
    }

    async fn read_page(&mut self) -> Result<(), ExportError> {
        let found = match self.scope {
            Scope::Stream { stream, tenant } => {
                let left = usize::try_from(self.last_version.0 - self.version.0).unwrap_or(PAGE).min(PAGE);
                match left {
                    0 => Vec::new(),
                    _ => self.log.read_stream(tenant, stream, self.version, left).await?,
                }
            }
            Scope::Range { to, .. } => self.read_range(to).await?,
            Scope::Tenant { tenant, to, .. } => loop {
                let mut page = self.read_range(to).await?;
                let Some(last) = page.last().map(|event| event.position) else { break page };
                page.retain(|event| event.tenant_id == tenant);
                self.at = last;
                if !page.is_empty() {
                    break page;
                }
            },
        };
        if let Some(last) = found.last() {
            self.version = last.version;
            self.at = self.at.max(last.position);
        }
        self.page = found.into();
        Ok(())
    }

    async fn read_range(&self, to: Position) -> Result<Vec<Arc<Recorded>>, ExportError> {
        let left = usize::try_from(to.0.saturating_sub(self.at.0)).unwrap_or(PAGE).min(PAGE);
        Ok(if left == 0 { Vec::new() } else { self.log.read(self.at, left).await? })
    }

    /// The events of the page, and behind the last of a seal that seal.
    async fn write_page(&mut self) -> Result<String, ExportError> {
        let mut text = String::new();
        while let Some(event) = self.page.pop_front() {
            let position = event.position;
            if self.seal.as_ref().is_some_and(|seal| seal.to_position < position) {
                text.push_str(&self.seal_line().await?);
            }
            if self.seal.is_none() && position <= self.sealed {
                self.seal = seal_over(&mut *self.log.pool().acquire().await?, position).await?;
            }
            text.push_str(&serde_json::to_string(&EventText::try_from(&*event)?)?);
            text.push('\n');
            self.digest.event(position.0, &event.hash);
            self.own.push(position.0);
            self.events += 1;
            self.head = event.hash;
        }
        Ok(text)
    }

    /// The line of the current seal, which covers the events since the line before; empty when none does.
    async fn seal_line(&mut self) -> Result<String, ExportError> {
        let Some(seal) = self.seal.take() else { return Ok(String::new()) };
        let hashes = hashes(&mut *self.log.pool().acquire().await?, seal.from_position, seal.to_position).await?;
        self.digest.seal(&seal.seal_hash);
        self.seals += 1;
        let mut text = serde_json::to_string(&SealLine::new(seal, &hashes, &std::mem::take(&mut self.own)))?;
        text.push('\n');
        Ok(text)
    }

    async fn end(&mut self) -> Result<String, ExportError> {
        let mut text = self.seal_line().await?;
        let digest = self.digest.clone().value();
        let trailer = Trailer { events: self.events, seals: self.seals, head_hash: self.head, digest };
        text.push_str(&serde_json::to_string(&trailer)?);
        text.push('\n');
        Ok(text)
    }
}
