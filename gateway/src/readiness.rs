//! Whether the dependencies of this process answer, and how far it lags.

use std::time::Duration;

use async_nats::connection::State;
use http::StatusCode;
use luci_schema::log::{Log, blocking_session, followers, halted};
use luci_storage::{Storage, StoreFault};
use serde_json::{Value, json};
use sqlx::PgPool;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::problem::Problem;

/// A dependency that takes longer is not ready.
const CHECK_TIMEOUT: Duration = Duration::from_secs(2);

/// The store's state is at most this old.
const STORE_CHECK_AGE: Duration = Duration::from_millis(500);

/// What a process depends on.
pub struct Readiness {
    /// Role `luci_engine`.
    pub pool: PgPool,
    pub log: Log,
    pub storage: Storage,
    /// `None`: it has no connection to NATS.
    pub nats: Option<async_nats::Client>,
    /// Roles of this process that wait for their restart, each with the error.
    pub degraded_roles: watch::Receiver<Vec<(&'static str, String)>>,
    pub stop: CancellationToken,
}

impl Readiness {
    /// 200 when Postgres responds and the object store can be used. A broker that is down is reported and does not make the
    /// process unready: commands work without it.
    pub async fn check(&self) -> (StatusCode, Value) {
        let checked = tokio::time::timeout(CHECK_TIMEOUT, self.state()).await;
        match checked {
            Ok(Ok(body)) if !self.stop.is_cancelled() && body["store"] != "up" => {
                (StatusCode::SERVICE_UNAVAILABLE, unready(body))
            }
            Ok(Ok(body)) if body["status"] == "unready" => (StatusCode::SERVICE_UNAVAILABLE, body),
            Ok(Ok(body)) if !self.stop.is_cancelled() => (StatusCode::OK, body),
            Ok(Ok(_)) => (StatusCode::SERVICE_UNAVAILABLE, json!({"status": "stopping"})),
            Ok(Err(_)) | Err(_) => {
                let body = json!({"status": "unready", "postgres": "down", "nats": self.nats()});
                (StatusCode::SERVICE_UNAVAILABLE, body)
            }
        }
    }

    /// `status` is `ready`, `degraded` when a role or a follower failed and has not recovered, or `unready`:
    /// `{status, postgres, nats, store, head, halted, followers: [{name, position, behind, held, failing}], troubles}`
    pub async fn state(&self) -> Result<Value, Problem> {
        let store = self.store().await;
        let mut c = self.pool.acquire().await?;
        let followers = followers(&mut c).await?;
        let (blocked, halted) = (blocking_session(&mut c).await?, halted(&mut c).await?);
        drop(c);
        let head = self.log.head();
        let followers: Vec<Value> = followers
            .into_iter()
            .map(|f| {
                json!({"name": f.name, "position": f.position, "behind": head.0.saturating_sub(f.position.0),
                    "held": f.held, "failing": f.last_error.is_some()})
            })
            .collect();
        // Who it is stays in the server's log: the names are the database's.
        let stuck = followers.iter().any(|follower| follower["failing"] == true) || !self.degraded().is_empty();
        let status = match (&blocked, &halted, stuck) {
            (Some(_), _, _) | (_, Some(_), _) => "unready",
            // It serves callers: taking it out of service would help nobody.
            (None, None, true) => "degraded",
            (None, None, false) => "ready",
        };
        let postgres =
            blocked.map_or_else(|| "up".to_owned(), |s| format!("blocked by session {} for {} s", s.pid, s.seconds));
        Ok(json!({"status": status, "postgres": postgres, "nats": self.nats(), "store": store, "head": head,
            "halted": halted, "followers": followers, "troubles": self.degraded()}))
    }

    /// `up`, or why the object store cannot be used: `missing`, `foreign`, `read_only`, `full`, `unreachable`.
    async fn store(&self) -> &'static str {
        self.storage.health(STORE_CHECK_AGE).await.err().map_or("up", StoreFault::as_str)
    }

    /// The errors are in the server log only: they may contain addresses.
    fn degraded(&self) -> Vec<&'static str> {
        self.degraded_roles.borrow().iter().map(|(role, _)| *role).collect()
    }

    fn nats(&self) -> &'static str {
        match self.nats.as_ref().map(async_nats::Client::connection_state) {
            Some(State::Connected) => "up",
            Some(_) => "down",
            None => "none",
        }
    }
}

fn unready(mut body: Value) -> Value {
    body["status"] = "unready".into();
    body
}
