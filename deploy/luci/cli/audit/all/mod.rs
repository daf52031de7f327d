//! `luci audit verify --all`: the whole log against itself, its seals, what was published, and the object store, in one pass.

mod events;
mod evt;
mod report;

use anyhow::Context;
use async_nats::Client;
use futures::TryStreamExt;
use luci_schema::{
    Micros,
    log::stored_heads,
    migrate::{self, DatabaseRole},
};
use luci_storage::{Storage, StorageError};
use sqlx::{Connection, PgConnection};

pub use self::report::{Finding, Report};
use self::{events::EventPass, evt::EvtMessages};
use super::{
    seals::{SEAL_FOLDER, SealAudit, not_sealed, operator_store, own_keys},
    witnesses::{Witness, connected, read_witnesses},
};
use crate::{
    cli::{
        Outcome,
        migrate::database_url,
        out::{self, Format},
    },
    config::{Config, MissingSetting},
};

/// What the log is compared with.
pub struct Sources<'a> {
    pub storage: &'a Storage,
    /// Public keys that may seal the log, in hex; any may when there is none.
    pub keys: &'a [String],
    pub witnesses: &'a [Witness],
    /// `None`: EVT is not compared.
    pub broker: Option<&'a Client>,
    pub now: Micros,
}

impl Sources<'_> {
    fn seals(&self) -> SealAudit<'_> {
        let Self { storage, keys, witnesses, now, .. } = *self;
        SealAudit { storage, keys, witnesses, now, events_checked: true }
    }
}

/// Checks everything. `c` is in a transaction that sees one state of the database.
///
/// # Errors
/// When database, broker or store cannot be read. What is wrong in them is a finding.
pub async fn check(c: &mut PgConnection, sources: &Sources<'_>) -> anyhow::Result<Report> {
    let mut report = Report::default();
    let mut evt = match sources.broker {
        Some(client) => EvtMessages::open(client, sources.now, &mut report).await?,
        None => None,
    };
    let mut pass = EventPass::default();
    history(c, sources, &mut pass, &mut evt, &mut report).await?;
    if let Some(evt) = evt {
        evt.end(&mut report).await?;
    }
    objects(&pass, sources, &mut report).await?;
    Ok(report)
}

/// What is in the database.
async fn history(
    c: &mut PgConnection,
    sources: &Sources<'_>,
    pass: &mut EventPass,
    evt: &mut Option<EvtMessages>,
    report: &mut Report,
) -> anyhow::Result<()> {
    match stored_heads(c).await?[..] {
        [head] => report.head = u64::try_from(head).unwrap_or(0),
        ref heads => report.found("head", format!("log.head has {} rows instead of one", heads.len())),
    }
    pass.events(c, evt, report).await?;
    let last = report.last_event;
    if last < report.head {
        report.at("head", last + 1, format!("the head is {}, the last event is {last}", report.head));
    }
    pass.streams(c, report).await?;
    pass.receipts(c, sources.now, report).await?;
    let audit = sources.seals();
    let sealed = audit.all(c).await?;
    (report.seals, report.sealed) = (sealed.seals, sealed.sealed);
    if let Some(fault) = sealed.fault {
        report.found("seals", fault);
    } else if let Some(fault) = not_sealed(c, sealed.sealed, sources.now).await? {
        report.found("seals", fault);
    }
    Ok(())
}

/// Every object that the log recorded, and no seal but those of the database.
async fn objects(pass: &EventPass, sources: &Sources<'_>, report: &mut Report) -> anyhow::Result<()> {
    for (position, path, digest) in &pass.objects {
        report.objects += 1;
        match sources.storage.verify(path, digest).await {
            Ok(()) => {}
            Err(StorageError::Expired { .. } | StorageError::Erased { .. }) => report.removed += 1,
            Err(StorageError::Integrity(fault)) => {
                report.found("objects", format!("{path} (event {position}): {}", fault.difference()));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let (seals, mut copies) = (sources.seals(), sources.storage.list(SEAL_FOLDER));
    while let Some(copy) = copies.try_next().await? {
        let name = copy.path.rsplit('/').next().unwrap_or_default();
        let number = name.strip_suffix(".json").and_then(|number| number.parse::<u64>().ok());
        let unknown = number.is_none_or(|number| number > report.seals);
        let later = match number.filter(|_| unknown) {
            Some(number) => seals.copy(number).await?.is_some_and(|copy| seals.is_later(&copy)),
            None => false,
        };
        if unknown && !later {
            report.found("seals", format!("the store has {}, the valid seals end at {}", copy.path, report.seals));
        }
    }
    Ok(())
}

/// Runs it as operator.
pub async fn run(config: &Config, keys: &[String], without_broker: bool, format: Format) -> anyhow::Result<Outcome> {
    let keys = own_keys(config, keys)?;
    let storage = operator_store(config)?;
    let client = if without_broker { None } else { connected(config).await? };
    if client.is_none() && !without_broker {
        let remedy = "set it to the broker's URL, or compare without it: --without-broker";
        return Err(MissingSetting { name: "LUCI_NATS_URL", remedy }.into());
    }
    let witnesses = read_witnesses(config, client.as_ref()).await?;
    // Not through `Log`, which refuses a log that is damaged.
    let pool = migrate::connect(&database_url(config)?, DatabaseRole::Engine, 2).await;
    let pool = pool.context("cannot connect to the database")?;
    let storage = storage.with_versions(pool.clone());
    let sources =
        Sources { storage: &storage, keys: &keys, witnesses: &witnesses, broker: client.as_ref(), now: Micros::now() };
    let mut c = pool.acquire().await?;
    let mut snapshot = c.begin_with("begin isolation level repeatable read read only").await?;
    let report = check(&mut snapshot, &sources).await?;
    drop(snapshot);
    if !format.is_text() {
        format.document(&report.as_json())?;
    } else {
        report.as_lines().iter().try_for_each(|line| out::line(line))?;
    }
    Ok(if report.is_intact() { Outcome::Done } else { Outcome::Failed })
}
