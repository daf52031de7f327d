//! Every event in the order of the log: dense positions, the hash chain of each stream; afterwards the stream heads and the
//! receipts, which must say what the events do.

use std::collections::HashMap;

use luci_runs::stored_objects::objects_of;
use luci_schema::{
    CommandId, Hash, Micros, ObjectDigest, Recorded, StreamId, TenantId, Version,
    log::{
        EventMetadata, GENESIS, StoredEvent, event_hash, receipt_digest, stored_events, stored_receipts, stored_streams,
    },
};
use sqlx::PgConnection;

use super::{evt::EvtMessages, report::Report};

/// Rows read at once.
const PAGE: i64 = 1_000;
/// Receipts are kept 30 days; a day before their end they may be missing.
const RECEIPTS_KEPT_MS: i64 = 29 * 86_400_000;

/// The last event of a stream.
struct StreamEnd {
    tenant: TenantId,
    version: Version,
    hash: Hash,
    recorded_at: Micros,
    command: CommandId,
    /// Of the last event of an earlier command.
    before: Option<Micros>,
}

/// What an event says of the receipt that was stored with it.
struct Vouched {
    tenant: TenantId,
    command: CommandId,
    digest: String,
    recorded_at: Micros,
    /// The stream's clock was not ahead: the receipt has the same time.
    same_time: bool,
}

/// The state of the pass.
#[derive(Default)]
pub struct EventPass {
    streams: HashMap<StreamId, StreamEnd>,
    vouched: HashMap<i64, Vouched>,
    /// Objects that the events recorded, with the position.
    pub objects: Vec<(u64, String, ObjectDigest)>,
}

impl EventPass {
    /// Reads all events, each with its message of EVT.
    pub async fn events(
        &mut self,
        c: &mut PgConnection,
        evt: &mut Option<EvtMessages>,
        report: &mut Report,
    ) -> anyhow::Result<()> {
        let (mut after, mut expected) = (-1, 1);
        loop {
            let page = stored_events(c, after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = last.position;
            for stored in &page {
                self.event(stored, expected, report);
                if let Some(evt) = evt {
                    evt.compare(stored, report).await?;
                }
                expected = stored.position + 1;
            }
        }
    }

    fn event(&mut self, stored: &StoredEvent, expected: i64, report: &mut Report) {
        report.events += 1;
        let position = u64::try_from(stored.position).unwrap_or(0);
        if stored.position != expected {
            let missing = u64::try_from(expected).unwrap_or(0);
            report.at(
                "events",
                missing.min(position),
                format!("positions {expected} to {} are missing", stored.position - 1),
            );
        }
        if position > report.head {
            report.at("events", position, format!("it lies beyond the head, {}", report.head));
        }
        report.last_event = position;
        match &stored.event {
            Ok(event) => self.follow(event, position, report),
            Err(why) => report.at("events", position, format!("it is not an event: {why}")),
        }
    }

    fn follow(&mut self, event: &Recorded, position: u64, report: &mut Report) {
        let (stream, version) = (event.stream_id, event.version);
        let before = self.streams.remove(&stream);
        let (last, hash) = before.as_ref().map_or((Version(0), GENESIS), |before| (before.version, before.hash));
        let mut wrong = |what: String| report.at("events", position, format!("{stream} version {version}: {what}"));
        if event_hash(event) != event.hash {
            wrong("its bytes do not match its hash".into());
        }
        if version.0 != last.0 + 1 {
            wrong(format!("it follows version {last}"));
        }
        if event.previous_hash != hash {
            wrong("it does not name the hash of the event before it".into());
        }
        if before.as_ref().is_some_and(|before| before.tenant != event.tenant_id) {
            wrong("it is of another tenant than its stream".into());
        }
        if before.as_ref().is_some_and(|before| before.recorded_at > event.recorded_at) {
            wrong("it was recorded before the event before it".into());
        }
        let earlier = before.and_then(|before| match before.command == event.command_id {
            true => before.before,
            false => Some(before.recorded_at),
        });
        self.vouch(event, earlier);
        let objects = objects_of(&event.event).into_iter();
        self.objects.extend(objects.map(|(path, digest)| (position, path.to_owned(), digest)));
        let (tenant, hash, recorded_at) = (event.tenant_id, event.hash, event.recorded_at);
        let command = event.command_id.clone();
        self.streams.insert(stream, StreamEnd { tenant, version, hash, recorded_at, command, before: earlier });
    }

    fn vouch(&mut self, event: &Recorded, earlier: Option<Micros>) {
        let metadata: EventMetadata = serde_json::from_str(&event.metadata).unwrap_or_default();
        let Some(digest) = metadata.receipt else { return };
        let (tenant, command, recorded_at) = (event.tenant_id, event.command_id.clone(), event.recorded_at);
        let same_time = earlier.is_none_or(|earlier| earlier < recorded_at);
        let vouched = Vouched { tenant, command, digest, recorded_at, same_time };
        self.vouched.insert(event.position.0 as i64, vouched);
    }

    /// Compares `log.streams` with the last event of each stream.
    pub async fn streams(&mut self, c: &mut PgConnection, report: &mut Report) -> anyhow::Result<()> {
        let mut after = String::new();
        loop {
            let page = stored_streams(c, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.stream_id);
            for row in page {
                report.streams += 1;
                let end = row.stream_id.parse().ok().and_then(|stream: StreamId| self.streams.remove(&stream));
                let Some(end) = end else {
                    report.found("streams", format!("log.streams has {}, which has no event", row.stream_id));
                    continue;
                };
                for (what, same) in [
                    ("tenant", row.tenant_id == end.tenant.to_string()),
                    ("version", row.version == end.version.0 as i64),
                    ("hash", row.hash == end.hash),
                    ("time", row.recorded_at == Some(end.recorded_at)),
                ] {
                    if !same {
                        let (stream, version) = (&row.stream_id, end.version);
                        let what = format!("the {what} of {stream} is not that of its last event, version {version}");
                        report.found("streams", what);
                    }
                }
            }
        }
        for stream in self.streams.keys() {
            report.found("streams", format!("log.streams lacks {stream}"));
        }
        Ok(())
    }

    /// Compares `log.receipts` with what the events say of them.
    pub async fn receipts(&mut self, c: &mut PgConnection, now: Micros, report: &mut Report) -> anyhow::Result<()> {
        let mut after = (String::new(), String::new());
        loop {
            let page = stored_receipts(c, (&after.0, &after.1), PAGE).await?;
            let Some(last) = page.last() else { break };
            after = (last.tenant_id.clone(), last.command_id.clone());
            for row in page {
                report.receipts += 1;
                let command = &row.command_id;
                let Some(vouched) = self.vouched.get(&row.position).filter(|one| one.command.as_str() == command)
                else {
                    report.receipts_not_covered += 1;
                    continue;
                };
                let digest = row.body_digest.map(|digest| receipt_digest(&digest, &row.outcome));
                let same_time = match vouched.same_time {
                    true => row.recorded_at == Some(vouched.recorded_at),
                    false => row.recorded_at.is_some_and(|at| at <= vouched.recorded_at),
                };
                for (what, same) in [
                    ("tenant", row.tenant_id == vouched.tenant.to_string()),
                    ("content", digest.as_deref() == Some(&*vouched.digest)),
                    ("time", same_time),
                ] {
                    if !same {
                        let at = row.position;
                        let what =
                            format!("the {what} of the receipt of command {command} is not what event {at} says");
                        report.found("receipts", what);
                    }
                }
                self.vouched.remove(&row.position);
            }
        }
        let kept_since = now.plus_millis(-RECEIPTS_KEPT_MS);
        let mut missing: Vec<_> = self.vouched.iter().filter(|(_, one)| one.recorded_at > kept_since).collect();
        missing.sort_by_key(|(position, _)| **position);
        for (position, vouched) in missing {
            report
                .found("receipts", format!("the receipt of command {}, event {position}, is missing", vouched.command));
        }
        Ok(())
    }
}
