//! What knows the seals outside database and store: the sealer's file, the broker's stream, and another bucket.

use std::time::Duration;

use anyhow::Context;
use async_nats::Client;
use luci_runs::{broker, seal_stream::SealStream, seal_witness::WitnessedSeal, sealer::SealerOptions};
use luci_schema::{Micros, seal::Seal};
use secrecy::ExposeSecret;

use crate::{
    config::Config,
    local::InstanceFile,
    process::from_config::{seal_bucket, seal_witness},
};

/// For the connection to the broker.
pub const CONNECT: Duration = Duration::from_secs(5);

/// The seals that one witness knows, in order; a witness that knows none is not compared.
#[derive(Debug, Clone)]
pub struct Witness {
    pub name: String,
    pub seals: Vec<WitnessedSeal>,
}

impl Witness {
    /// Why it contradicts a seal of the database.
    pub fn contradicts(&self, seal: &Seal, now: Micros) -> Option<String> {
        let name = &self.name;
        let known = self.seals.binary_search_by_key(&seal.seal_id, |known| known.seal_id);
        let may_be_late = now.0 - seal.sealed_at_micros.0 <= 2 * SealerOptions::INTERVAL.as_micros() as i64;
        match known {
            Ok(at) if self.seals[at] == WitnessedSeal::from(seal) => None,
            Ok(_) => Some(format!("{name} has another seal of this number")),
            Err(_) if self.seals.is_empty() || may_be_late => None,
            Err(_) => Some(format!("{name} lacks it")),
        }
    }

    /// Why it knows more than the database, whose last seal has this number.
    pub fn knows_more(&self, last: u64) -> Option<String> {
        let known = self.seals.last().filter(|known| known.seal_id > last)?;
        let (name, id, to) = (&self.name, known.seal_id, known.to_position);
        Some(format!("{name} has seal {id} (up to position {to}), the database does not: seals were removed"))
    }
}

/// `LUCI_NATS_URL`, else the broker of the instance in the data folder. What `luci env` printed for that broker may only read, so
/// it stands for the operator's user.
pub fn broker_url(config: &Config) -> anyhow::Result<Option<String>> {
    let instance = InstanceFile::read(&config.data_dir).context("cannot read the data folder");
    match config.nats_url.as_ref().map(ExposeSecret::expose_secret) {
        Some(url) => {
            let own = instance.ok().flatten().filter(|instance| instance.nats_urls().contains(&url));
            Ok(Some(own.map_or(url.to_owned(), |instance| instance.nats_url)))
        }
        None => Ok(instance?.map(|instance| instance.nats_url)),
    }
}

/// All witnesses: the file, the bucket if there is one, and with a client the stream.
pub async fn read_witnesses(config: &Config, client: Option<&Client>) -> anyhow::Result<Vec<Witness>> {
    let file = seal_witness(config);
    let seals = file.read().with_context(|| format!("cannot read {}", file.path().display()))?;
    let mut witnesses = vec![Witness { name: "the witness".into(), seals }];
    if let Some(bucket) = seal_bucket(config)? {
        let seals = bucket.read().await.context("cannot read the bucket of seals")?;
        witnesses.push(Witness { name: "the bucket of seals".into(), seals });
    }
    if let Some(client) = client {
        let seals = SealStream::on(client).read().await?;
        witnesses.push(Witness { name: "stream SEALS".into(), seals });
    }
    Ok(witnesses)
}

/// A client, when a broker is configured; an error when it does not answer.
pub async fn connected(config: &Config) -> anyhow::Result<Option<Client>> {
    let Some(url) = broker_url(config)? else { return Ok(None) };
    let client = broker::connect_soon(&url, "luci audit", CONNECT).await?;
    broker::check_version(&client).context("cannot compare the seals with the broker")?;
    Ok(Some(client))
}
