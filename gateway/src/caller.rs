//! Who asks. The tenant comes from the credential and from nowhere else: this file alone makes a `Caller`.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, Method, header};
use lru::LruCache;
use luci_engine::admin::{
    Right, Role,
    keys::{self, Holder},
    secret, sessions,
};
use luci_schema::{Actor, ActorId, Hash, KeyId, TenantId};
use sqlx::PgPool;

use crate::{live::Hub, problem::Problem};

/// The name of the session cookie.
pub const COOKIE: &str = "luci_session";
/// How long a credential that was looked up is taken as valid; a revoked key is refused as soon as its event is seen.
const TRUST: Duration = Duration::from_secs(5);
/// Credentials remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

/// An authenticated caller.
#[derive(Debug, Clone)]
pub struct Caller {
    pub tenant: TenantId,
    pub actor: ActorId,
    pub key: KeyId,
    pub role: Role,
    scopes: Vec<String>,
}

impl Caller {
    /// As the author of events.
    pub fn author(&self) -> Actor {
        Actor::Actor(self.actor)
    }

    /// Whether the role has the right and the key's scopes take in the group of operations.
    pub fn allow(&self, right: Right, group: &str) -> Result<(), Problem> {
        if !self.role.may(right) {
            return Err(Problem::forbidden(format!("A key of role {} may not do this.", self.role)));
        }
        if !self.scopes.is_empty() && !self.scopes.iter().any(|scope| scope == group) {
            return Err(Problem::forbidden(format!("The key is not scoped to `{group}`.")));
        }
        Ok(())
    }
}

impl From<Holder> for Caller {
    fn from(holder: Holder) -> Self {
        Self { tenant: holder.tenant, actor: holder.actor, key: holder.key, role: holder.role, scopes: holder.scopes }
    }
}

/// What a request carries to prove who sends it.
enum Credential<'a> {
    Key(&'a str),
    Session(&'a str),
}

/// Looks callers up, remembering them for a moment.
pub struct Callers {
    pool: PgPool,
    known: Mutex<LruCache<Hash, (Caller, Instant)>>,
}

impl Callers {
    /// `pool` is of role `luci_engine`: finding the tenant of a key is the one question that knows no tenant yet.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, known: Mutex::new(LruCache::new(REMEMBERED)) }
    }

    /// The caller of a request, or 401.
    pub async fn find(&self, hub: &Hub, method: &Method, headers: &HeaderMap) -> Result<Caller, Problem> {
        let credential = credential(headers).ok_or_else(Problem::unauthorized)?;
        if let Credential::Session(_) = credential {
            same_origin(method, headers)?;
        }
        let hash = credential.hash();
        if let Some(caller) = self.remembered(&hash) {
            return if hub.revoked(caller.key) { Err(Problem::unauthorized()) } else { Ok(caller) };
        }
        let caller = self.look_up(&credential, &hash).await?.ok_or_else(Problem::unauthorized)?;
        self.lock().put(hash, (caller.clone(), Instant::now()));
        Ok(caller)
    }

    async fn look_up(&self, credential: &Credential<'_>, hash: &Hash) -> Result<Option<Caller>, Problem> {
        let mut c = self.pool.acquire().await?;
        let holder = match credential {
            Credential::Key(_) => keys::holder(&mut c, hash).await?,
            Credential::Session(_) => sessions::holder(&mut c, hash).await?,
        };
        let Some(holder) = holder else { return Ok(None) };
        if let Err(error) = keys::touch(&mut c, holder.tenant, holder.key).await {
            tracing::warn!(%error, "the use of a key was not noted");
        }
        Ok(Some(holder.into()))
    }

    fn remembered(&self, hash: &Hash) -> Option<Caller> {
        let mut known = self.lock();
        let (caller, at) = known.get(hash)?;
        (at.elapsed() < TRUST).then(|| caller.clone())
    }

    /// Forgets everybody: after a key was revoked or a session closed here.
    pub fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<Hash, (Caller, Instant)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Credential<'_> {
    fn hash(&self) -> Hash {
        match self {
            Self::Key(text) | Self::Session(text) => secret::digest(text),
        }
    }
}

fn credential(headers: &HeaderMap) -> Option<Credential<'_>> {
    if let Some(value) = headers.get(header::AUTHORIZATION) {
        let (scheme, key) = value.to_str().ok()?.split_once(' ')?;
        return scheme.eq_ignore_ascii_case("bearer").then(|| Credential::Key(key.trim()));
    }
    session_cookie(headers).map(Credential::Session)
}

/// The session secret of a request's cookie.
pub fn session_cookie(headers: &HeaderMap) -> Option<&str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

/// A cookie is sent by the browser whoever asks: what changes something, and a WebSocket, must come from our own page.
/// The cookie is SameSite=Strict as well; this is the second lock.
fn same_origin(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let upgrade = headers.contains_key(header::UPGRADE);
    if (method == Method::GET || method == Method::HEAD) && !upgrade {
        return Ok(());
    }
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    match (origin.and_then(|origin| origin.split_once("://")), host) {
        (Some((_, from)), Some(host)) if from.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Problem::forbidden("A session may be used by LUCI's own pages only; send a key instead.")),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (http::HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn a_key_wins_over_a_cookie_and_a_broken_header_over_nothing() {
        let both = headers(&[("authorization", "bearer luci_k"), ("cookie", "a=b; luci_session=sess_x")]);
        assert!(matches!(credential(&both), Some(Credential::Key("luci_k"))));
        let cookie = headers(&[("cookie", "a=b; luci_session=sess_x")]);
        assert!(matches!(credential(&cookie), Some(Credential::Session("sess_x"))));
        assert!(credential(&headers(&[("authorization", "Basic abc"), ("cookie", "luci_session=s")])).is_none());
    }

    #[test]
    fn cookies_change_things_from_our_own_pages_only() {
        let own = headers(&[("host", "luci.test:8080"), ("origin", "http://luci.test:8080")]);
        let strange = headers(&[("host", "luci.test:8080"), ("origin", "http://evil.test")]);
        let none = headers(&[("host", "luci.test:8080")]);
        assert!(same_origin(&Method::POST, &own).is_ok());
        assert!(same_origin(&Method::POST, &strange).is_err());
        assert!(same_origin(&Method::POST, &none).is_err());
        assert!(same_origin(&Method::GET, &strange).is_ok());
        let mut socket = strange;
        socket.insert("upgrade", HeaderValue::from_static("websocket"));
        assert!(same_origin(&Method::GET, &socket).is_err(), "a WebSocket of another page");
    }
}
