//! Authentication. The tenant of a request comes from its credential only: no other file makes a `Caller`.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use http::{HeaderMap, Method, header};
use lru::LruCache;
use luci_config::{
    Right, Role,
    keys::{self, Holder},
    secret, sessions,
};
use luci_schema::{Actor, ActorId, Hash, KeyId, TenantId};
use sqlx::PgPool;

use crate::{live::Hub, problem::Problem};

/// The name of the session cookie.
pub const COOKIE: &str = "luci_session";
/// How long a lookup is cached. A revoked key is rejected as soon as its event arrives.
const CACHE_TTL: Duration = Duration::from_secs(5);
/// Credentials in the cache.
const CACHE_SIZE: NonZeroUsize = NonZeroUsize::new(4_096).unwrap();

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
    /// The author of events.
    pub fn author(&self) -> Actor {
        Actor::Actor(self.actor)
    }

    /// 403 unless the role has the right and the scopes of the key include the group of operations.
    pub fn authorize(&self, right: Right, group: &str) -> Result<(), Problem> {
        if !self.role.may(right) {
            return Err(Problem::forbidden(format!("The role {} does not allow this.", self.role)));
        }
        if !self.scopes.is_empty() && !self.scopes.iter().any(|scope| scope == group) {
            return Err(Problem::forbidden(format!("The key does not have the scope `{group}`.")));
        }
        Ok(())
    }
}

impl From<Holder> for Caller {
    fn from(holder: Holder) -> Self {
        Self { tenant: holder.tenant, actor: holder.actor, key: holder.key, role: holder.role, scopes: holder.scopes }
    }
}

/// The credential of a request.
enum Credential<'a> {
    Key(&'a str),
    Session(&'a str),
}

/// Looks up callers, with a short-lived cache.
pub struct Callers {
    pool: PgPool,
    cache: Mutex<LruCache<Hash, (Caller, Instant)>>,
}

impl Callers {
    /// `pool` has the role `luci_engine`: the lookup of a key is the one query without a tenant.
    pub fn new(pool: PgPool) -> Self {
        Self { pool, cache: Mutex::new(LruCache::new(CACHE_SIZE)) }
    }

    /// The caller of a request, or 401.
    pub async fn find(&self, hub: &Hub, method: &Method, headers: &HeaderMap) -> Result<Caller, Problem> {
        let credential = credential(headers).ok_or_else(Problem::unauthorized)?;
        if let Credential::Session(_) = credential {
            same_origin(method, headers)?;
        }
        let hash = credential.hash();
        if let Some(caller) = self.cached(&hash) {
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
            tracing::warn!(%error, key.id = %holder.key, "key last-used time not recorded");
        }
        Ok(Some(holder.into()))
    }

    fn cached(&self, hash: &Hash) -> Option<Caller> {
        let mut cache = self.lock();
        let (caller, at) = cache.get(hash)?;
        (at.elapsed() < CACHE_TTL).then(|| caller.clone())
    }

    /// Clears the cache: after a key was revoked or a session closed in this process.
    pub fn clear_cache(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, LruCache<Hash, (Caller, Instant)>> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
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

/// CSRF protection: a browser sends the cookie with requests of any site, so an unsafe method or a WebSocket must have our
/// own origin. The cookie is SameSite=Strict as well.
fn same_origin(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let upgrade = headers.contains_key(header::UPGRADE);
    if (method == Method::GET || method == Method::HEAD) && !upgrade {
        return Ok(());
    }
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    match (origin.and_then(|origin| origin.split_once("://")), host) {
        (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host) => Ok(()),
        _ => Err(Problem::forbidden(
            "A session cookie is accepted from the LUCI dashboard only. Send an API key instead.",
        )),
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
    fn a_key_takes_precedence_over_a_cookie_and_a_malformed_header_is_no_credential() {
        let both = headers(&[("authorization", "bearer luci_k"), ("cookie", "a=b; luci_session=sess_x")]);
        assert!(matches!(credential(&both), Some(Credential::Key("luci_k"))));
        let cookie = headers(&[("cookie", "a=b; luci_session=sess_x")]);
        assert!(matches!(credential(&cookie), Some(Credential::Session("sess_x"))));
        assert!(credential(&headers(&[("authorization", "Basic abc"), ("cookie", "luci_session=s")])).is_none());
    }

    #[test]
    fn a_cookie_allows_changes_from_our_own_origin_only() {
        let own = headers(&[("host", "luci.test:8080"), ("origin", "http://luci.test:8080")]);
        let foreign = headers(&[("host", "luci.test:8080"), ("origin", "http://evil.test")]);
        let none = headers(&[("host", "luci.test:8080")]);
        assert!(same_origin(&Method::POST, &own).is_ok());
        assert!(same_origin(&Method::POST, &foreign).is_err());
        assert!(same_origin(&Method::POST, &none).is_err());
        assert!(same_origin(&Method::GET, &foreign).is_ok());
        let mut socket = foreign;
        socket.insert("upgrade", HeaderValue::from_static("websocket"));
        assert!(same_origin(&Method::GET, &socket).is_err(), "a WebSocket of another origin");
    }
}
