//! Ends connections whose key or session has ended: every few seconds, each gateway asks all servers for their connections.
//!
//! The connection's name says whose it is, so no gateway has to remember what another, or an earlier one, has granted.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use async_nats::Client;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;
use tokio::time::MissedTickBehavior;

use super::{NatsAccess, credential::Connected};
use crate::App;

/// Between two looks: a connection ends within twice this after its key.
const INTERVAL: Duration = Duration::from_secs(3);
/// How long the servers have to answer; those that did are dealt with.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(750);
const LIST: &str = "$SYS.REQ.SERVER.PING.CONNZ";
/// Connections that a server lists at once.
const PAGE: usize = 1_024;

/// Watches until it is dropped.
pub async fn run(app: &Arc<App>, access: &NatsAccess) {
    let mut interval = tokio::time::interval(INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        if let Err(error) = end_invalid(app, access).await {
            tracing::warn!(%error, "connections to NATS not checked");
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum WatchError {
    #[error("NATS: {0}")]
    Nats(String),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Holder(#[from] luci_config::AdminError),
}

fn nats(error: &dyn std::fmt::Display) -> WatchError {
    WatchError::Nats(error.to_string())
}

/// A server's answer.
#[derive(Deserialize)]
struct Listing {
    server: Server,
    data: Connections,
}

#[derive(Deserialize)]
struct Server {
    id: String,
}

#[derive(Deserialize)]
struct Connections {
    #[serde(default)]
    connections: Vec<Connection>,
    total: usize,
}

#[derive(Deserialize)]
struct Connection {
    cid: u64,
    authorized_user: Option<String>,
}

async fn end_invalid(app: &App, access: &NatsAccess) -> Result<(), WatchError> {
    let mut found: HashMap<Connected, Vec<(String, u64)>> = HashMap::new();
    let mut offset = 0;
    loop {
        let mut more = false;
        for Listing { server, data } in list(access, offset).await? {
            more |= offset + PAGE < data.total;
            for connection in data.connections {
                let whose = connection.authorized_user.as_deref().and_then(Connected::parse);
                let Some(whose) = whose else { continue };
                found.entry(whose).or_default().push((server.id.clone(), connection.cid));
            }
        }
        offset += PAGE;
        if !more {
            break;
        }
    }
    let connections = found.values().map(Vec::len).sum::<usize>();
    metrics::gauge!("luci_nats_client_connections").set(connections as f64);
    if found.is_empty() {
        return Ok(());
    }
    let mut c = app.engine_pool.acquire().await?;
    for (whose, connections) in found {
        if whose.valid_until(&mut c).await?.is_none() {
            end(&access.callout, &whose, connections).await?;
        }
    }
    Ok(())
}

/// What the servers answer in time, one page of each.
async fn list(access: &NatsAccess, offset: usize) -> Result<Vec<Listing>, WatchError> {
    let client = &access.callout;
    let inbox = client.new_inbox();
    let mut answers = client.subscribe(inbox.clone()).await.map_err(|error| nats(&error))?;
    let question = json!({"auth": true, "acc": access.account, "state": 0, "offset": offset, "limit": PAGE});
    client.publish_with_reply(LIST, inbox, question.to_string().into()).await.map_err(|error| nats(&error))?;
    let (mut listings, mut servers) = (Vec::new(), HashSet::new());
    let collecting = async {
        while let Some(answer) = answers.next().await {
            if let Ok(listing) = serde_json::from_slice::<Listing>(&answer.payload)
                && servers.insert(listing.server.id.clone())
            {
                listings.push(listing);
            }
        }
    };
    // Nobody knows how many servers there are.
    let _ = tokio::time::timeout(ANSWER_TIMEOUT, collecting).await;
    Ok(listings)
}

async fn end(client: &Client, whose: &Connected, connections: Vec<(String, u64)>) -> Result<(), WatchError> {
    let Connected { tenant, key, .. } = whose;
    tracing::info!(tenant.id = %tenant, key.id = %key, connections = connections.len(), "key or session has ended, NATS connections closed");
    metrics::counter!("luci_nats_clients_ended_total").increment(connections.len() as u64);
    for (server, cid) in connections {
        let subject = format!("$SYS.REQ.SERVER.{server}.KICK");
        let body = json!({"cid": cid}).to_string();
        // A server ignores a request that it cannot answer. Nobody reads the answer: the next look shows who is left.
        let sent = client.publish_with_reply(subject, client.new_inbox(), body.into()).await;
        sent.map_err(|error| nats(&error))?;
    }
    Ok(())
}
