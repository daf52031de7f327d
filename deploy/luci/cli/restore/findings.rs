//! What happened after the state that the database was restored to, as broker and store know it.

use luci_config::{tenants, vault::Vault};
use luci_messaging::{
    sender::journal::{self, JournalEntry},
    suppression_journal::{self, SuppressionEntry},
    webhooks::restored::{self, StoredDelivery},
};
use luci_runs::{
    broker,
    relay::{LostEvent, lost_events},
};
use luci_schema::{
    Micros, Position,
    log::{halted, last_seal},
};
use luci_stages::erasure::journal::{self as erasure_journal, ErasureEntry};
use luci_storage::Storage;

use crate::{
    cli::{
        audit::{
            seals::operator_store,
            witnesses::{CONNECT, broker_url},
        },
        projections::OperatorAccess,
    },
    config::{Config, MissingSetting},
    local::existing_master_key,
    process::from_config::seal_witness,
};

/// Sends are looked for from so long before the newest event on: the clock of a sender may be slow, and not every send
/// appends an event.
const MARGIN_MS: i64 = 86_400_000;

/// What the restored database does not know.
pub struct Findings {
    pub access: OperatorAccess,
    pub storage: Storage,
    pub head: Position,
    pub halted: Option<String>,
    /// The connection to NATS, if it answered.
    pub broker: Option<async_nats::Client>,
    /// Why NATS could not be asked, or the events that it has and the log does not have.
    pub lost: Result<Vec<LostEvent>, String>,
    /// Seals that the witness file knows and the database does not.
    pub seals: usize,
    /// Entries of the send journal, with their objects' paths.
    pub sends: Vec<(String, JournalEntry)>,
    /// Numbers and addresses that people suppressed or had erased.
    pub suppressions: Vec<SuppressionEntry>,
    /// Erasures of people whose data the restore brought back.
    pub erasures: Vec<ErasureEntry>,
    /// How many leads of them the database has; `None` without the master key.
    pub leads_back: Option<usize>,
    /// The master key's; `None` when neither the settings nor the data folder have it.
    pub vault: Option<Vault>,
    /// Replies and reports whose objects are stored.
    pub deliveries: Vec<StoredDelivery>,
}

impl Findings {
    pub async fn read(config: &Config) -> anyhow::Result<Self> {
        let access = OperatorAccess::open(config).await?;
        let storage = operator_store(config)?;
        let head = access.log.newest().await?;
        let newest = access.log.read(Position(head.0.saturating_sub(1)), 1).await?.pop();
        let mut c = access.log.pool().acquire().await?;
        let halted = halted(&mut c).await?;
        let since = newest.map_or(Micros::now(), |event| event.recorded_at).plus_millis(-MARGIN_MS);
        let last = last_seal(&mut c).await?.map_or(0, |seal| seal.seal_id);
        let seals = seal_witness(config).read()?.iter().filter(|seal| seal.seal_id > last).count();
        let sends = journal::unknown(&mut c, &storage, since).await?;
        let vault = vault(config)?;
        let suppressions = suppression_journal::unknown(&mut c, (&storage, vault.as_ref()), since).await?;
        let tenants = tenants::all(&mut c).await?;
        let erasures = erasure_journal::unknown(&mut c, &storage, &tenants).await?;
        let leads_back = match &vault {
            Some(vault) => Some(erasure_journal::leads_back(&mut c, vault, &erasures).await?),
            None => None,
        };
        let deliveries = restored::unknown(&mut c, &storage, &tenants, since).await?;
        drop(c);
        let (broker, lost) = match lost(config, &access).await {
            Ok((client, lost)) => (Some(client), Ok(lost)),
            Err(error) => (None, Err(format!("{error:#}"))),
        };
        Ok(Self {
            access,
            storage,
            head,
            halted,
            broker,
            lost,
            seals,
            sends,
            suppressions,
            erasures,
            leads_back,
            vault,
            deliveries,
        })
    }
}

/// `LUCI_MASTER_KEY`, or that of the data folder: without it, suppressions that are not lost may be listed too.
fn vault(config: &Config) -> anyhow::Result<Option<Vault>> {
    let key = match &config.master_key {
        Some(key) => Some(key.clone()),
        None => existing_master_key(&config.data_dir)?,
    };
    Ok(key.as_ref().map(Vault::new).transpose()?)
}

async fn lost(config: &Config, access: &OperatorAccess) -> anyhow::Result<(async_nats::Client, Vec<LostEvent>)> {
    let remedy = "set it to the broker's URL, or choose a --data-dir where `luci up` runs";
    let url = broker_url(config)?.ok_or(MissingSetting { name: "LUCI_NATS_URL", remedy })?;
    let client = broker::connect(&url, "luci restore").await?;
    broker::connected_within(&client, CONNECT).await?;
    let lost = lost_events(&client, &access.log).await?;
    Ok((client, lost))
}
