//! Table `log.snapshots`: folded states of long streams, kept so that a fold need not begin at the first event.
//!
//! A cache. A state is used only if its MAC is right and its hash is that of the log's event at its version; then folding on
//! gives what folding from the first event gives. Audits, drift checks and rebuilds do not use it.

use std::sync::Arc;

use ring::hmac;
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{PgConnection, Row as _};

use super::{Log, LogError};
use crate::{Hash, Micros, StreamId, TenantId, Version};

/// Events between two stored states of a stream.
pub const SNAPSHOT_EVERY: u64 = 5_000;

/// A fold whose state is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotFold {
    pub name: &'static str,
    /// Names what the fold makes of the same events, and the form of its state: a build derives it from its sources.
    pub version: &'static str,
}

/// Finds and stores states. Clones share the key.
#[derive(Clone)]
pub struct Snapshots {
    key: Arc<hmac::Key>,
}

impl std::fmt::Debug for Snapshots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Snapshots")
    }
}

/// What a state is of.
#[derive(Debug, Clone, Copy)]
pub struct SnapshotOf {
    pub tenant: TenantId,
    pub stream: StreamId,
    pub fold: SnapshotFold,
}

impl Snapshots {
    /// `key` authenticates the stored states: all processes of an installation need the same.
    pub fn new(key: &[u8]) -> Self {
        Self { key: Arc::new(hmac::Key::new(hmac::HMAC_SHA256, key)) }
    }

    /// Whether a state should be stored when a fold that was at `before` is at `after`.
    pub const fn due(before: Version, after: Version) -> bool {
        before.0 / SNAPSHOT_EVERY < after.0 / SNAPSHOT_EVERY
    }

    /// The newest stored state at or before a version. `None` as well when the stored one is not to be believed.
    pub async fn find<T: DeserializeOwned>(
        &self,
        log: &Log,
        of: SnapshotOf,
        at_most: Version,
    ) -> Result<Option<(Version, T)>, LogError> {
        if at_most.0 < SNAPSHOT_EVERY {
            return Ok(None);
        }
        let Some(row) = newest(&mut *log.pool().acquire().await?, of, at_most).await? else { return Ok(None) };
        let authentic = hmac::verify(&self.key, &signed(of, row.version, &row.hash, &row.state), &row.mac).is_ok();
        let state = authentic.then(|| serde_json::from_slice(&row.state).ok()).flatten();
        let outcome = if state.is_some() { "used" } else { "refused" };
        metrics::counter!("luci_snapshots_total", "outcome" => outcome).increment(1);
        if state.is_none() {
            tracing::warn!(
                tenant.id = %of.tenant, stream.id = %of.stream, version = row.version.0, fold = of.fold.name,
                "stored state of a stream refused: it was changed, or stored under another master key"
            );
        }
        Ok(state.map(|state| (row.version, state)))
    }

    /// Stores a state: the fold of the stream up to `version`, whose event has this hash. What fails is reported and forgotten.
    pub async fn store<T: Serialize + Sync>(&self, log: &Log, of: SnapshotOf, version: Version, hash: Hash, state: &T) {
        let stored = async {
            let state = serde_json::to_vec(state).map_err(|error| LogError::Corrupt(error.to_string()))?;
            let mac = hmac::sign(&self.key, &signed(of, version, &hash, &state));
            let row = Row { version, hash, state, mac: mac.as_ref().to_vec() };
            insert(&mut *log.pool().acquire().await?, of, &row).await.map_err(LogError::from)
        };
        let outcome = match stored.await {
            Ok(()) => "stored",
            Err(error) => {
                tracing::warn!(stream.id = %of.stream, version = version.0, %error, "state of a stream not stored");
                "not_stored"
            }
        };
        metrics::counter!("luci_snapshots_total", "outcome" => outcome).increment(1);
    }
}

/// The bytes that the MAC covers. Each text has its length in front, so that no two rows have the same bytes.
fn signed(of: SnapshotOf, version: Version, hash: &[u8], state: &[u8]) -> Vec<u8> {
    let (tenant, stream) = (of.tenant.to_string(), of.stream.to_string());
    let (tenant, stream, fold, at) = (tenant.as_bytes(), stream.as_bytes(), of.fold, version.0.to_be_bytes());
    let parts: [&[u8]; 7] = [tenant, stream, fold.name.as_bytes(), fold.version.as_bytes(), &at, hash, state];
    let with_length = |part: &&[u8]| [&(part.len() as u64).to_be_bytes(), *part].concat();
    parts.iter().flat_map(with_length).collect()
}

/// A row, apart from what it is of.
struct Row {
    version: Version,
    hash: Hash,
    state: Vec<u8>,
    mac: Vec<u8>,
}

/// A row counts only if the log's event at its version has the row's hash.
async fn newest(c: &mut PgConnection, of: SnapshotOf, at_most: Version) -> Result<Option<Row>, sqlx::Error> {
    let row = sqlx::query(
        "select s.version, s.hash, s.state, s.mac from log.snapshots s
           join log.events e on e.stream_id = s.stream_id and e.version = s.version and e.tenant_id = s.tenant_id and e.hash = s.hash
          where s.tenant_id = $1 and s.stream_id = $2 and s.fold = $3 and s.fold_version = $4 and s.version <= $5
          order by s.version desc limit 1",
    )
    .bind(of.tenant)
    .bind(of.stream.to_string())
    .bind(of.fold.name)
    .bind(of.fold.version)
    .bind(i64::try_from(at_most.0).unwrap_or(i64::MAX))
    .fetch_optional(c)
    .await?;
    let row = row.map(|row| {
        Ok::<_, sqlx::Error>(Row {
            version: Version(u64::try_from(row.try_get::<i64, _>("version")?).unwrap_or(0)),
            hash: row.try_get("hash")?,
            state: row.try_get("state")?,
            mac: row.try_get("mac")?,
        })
    });
    row.transpose()
}

async fn insert(c: &mut PgConnection, of: SnapshotOf, row: &Row) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into log.snapshots (tenant_id, stream_id, fold, fold_version, version, hash, state, mac)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (stream_id, fold, version) do update set tenant_id = excluded.tenant_id,
           fold_version = excluded.fold_version, hash = excluded.hash, state = excluded.state, mac = excluded.mac,
           stored_at = now()",
    )
    .bind(of.tenant)
    .bind(of.stream.to_string())
    .bind(of.fold.name)
    .bind(of.fold.version)
    .bind(i64::try_from(row.version.0).unwrap_or(i64::MAX))
    .bind(row.hash)
    .bind(&row.state)
    .bind(&row.mac)
    .execute(c)
    .await?;
    Ok(())
}

impl Log {
    /// Deletes states that were stored before that time and returns their number. One that is needed again is stored again.
    pub async fn delete_snapshots(&self, before: Micros) -> Result<u64, LogError> {
        let mut c = self.pool().acquire().await?;
        let done = sqlx::query("delete from log.snapshots where stored_at < $1")
            .bind(before.date_time())
            .execute(&mut *c)
            .await?;
        Ok(done.rows_affected())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunId;

    #[test]
    fn a_state_is_due_each_time_a_fold_passes_a_multiple() {
        for (before, after, due) in [(0, 4_999, false), (4_999, 5_000, true), (5_000, 5_001, false), (1, 12_000, true)]
        {
            assert_eq!(Snapshots::due(Version(before), Version(after)), due, "{before} to {after}");
        }
    }

    #[test]
    fn every_part_of_a_state_is_signed() {
        let (tenant, stream) = (TenantId::generate(), StreamId::Run(RunId::generate()));
        let of = SnapshotOf { tenant, stream, fold: SnapshotFold { name: "run", version: "1" } };
        let bytes = |of, version, hash: u8, state: &str| signed(of, Version(version), &[hash; 32], state.as_bytes());
        let first = bytes(of, 5_000, 1, "{}");
        let others = [
            SnapshotOf { tenant: TenantId::generate(), ..of },
            SnapshotOf { stream: StreamId::Run(RunId::generate()), ..of },
            SnapshotOf { fold: SnapshotFold { name: "ru", version: "1" }, ..of },
            SnapshotOf { fold: SnapshotFold { name: "run", version: "2" }, ..of },
        ];
        for other in others {
            assert_ne!(first, bytes(other, 5_000, 1, "{}"), "{other:?}");
        }
        assert_ne!(first, bytes(of, 5_001, 1, "{}"));
        assert_ne!(first, bytes(of, 5_000, 2, "{}"));
        assert_ne!(first, bytes(of, 5_000, 1, "[]"));
    }
}
