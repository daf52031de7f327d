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
use luci_schema::{Actor, ActorId, Hash, KeyId, Micros, SessionId, TenantId};
use sqlx::PgPool;
use url::Url;

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
    /// The groups of operations that the key is limited to; empty: all that the role allows.
    pub scopes: Vec<String>,
    /// When the key expires.
    pub key_expires_at: Option<Micros>,
    /// When the credential ends: the key, or the session before it.
    pub expires_at: Option<Micros>,
    /// The session that the caller signed in with, if not with the key itself.
    pub session: Option<SessionId>,
    credential: (CredentialKind, Hash),
}

impl Caller {
    fn new(holder: Holder, credential: (CredentialKind, Hash)) -> Self {
        let Holder { tenant, actor, key, role, scopes, key_expires_at, expires_at, session } = holder;
        Self { tenant, actor, key, role, scopes, key_expires_at, expires_at, session, credential }
    }

    /// The holder of a key, with the hash of its secret.
    pub fn of_key(holder: Holder, hash: Hash) -> Self {
        Self::new(holder, (CredentialKind::Key, hash))
    }

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

/// How a caller signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum CredentialKind {
    Key,
    Session,
}

/// The credential of a request.
enum Credential<'a> {
    Key(&'a str),
    Session(&'a str),
}

/// Looks up callers, with a short-lived cache.
pub struct Callers {
    pool: PgPool,
    /// `https://luci.example`: the origin of the dashboard, where a proxy changes the host of requests.
    public_origin: Option<String>,
    cache: Mutex<LruCache<Hash, (Caller, Instant)>>,
}

impl Callers {
    /// `pool` has the role `luci_engine`: the lookup of a key is the one query without a tenant.
    pub fn new(pool: PgPool, public_url: Option<&str>) -> Self {
        let public_origin =
            public_url.and_then(|url| Url::parse(url).ok()).map(|url| url.origin().ascii_serialization());
        Self { pool, public_origin, cache: Mutex::new(LruCache::new(CACHE_SIZE)) }
    }

    /// The caller of a request, or 401.
    pub async fn find(&self, hub: &Hub, method: &Method, headers: &HeaderMap) -> Result<Caller, Problem> {
        let credential = credential(headers).ok_or_else(Problem::unauthorized)?;
        if let Credential::Session(_) = credential {
            same_origin(method, headers, self.public_origin.as_deref())?;
        }
        let hash = credential.hash();
        if let Some(caller) = self.cached(&hash) {
            return if hub.revoked(caller.key) { Err(Problem::unauthorized()) } else { Ok(caller) };
        }
        self.look_up((credential.kind(), hash)).await?.ok_or_else(Problem::unauthorized)
    }

    /// Whether the caller of an open stream may go on: the key or session is still valid, with the same role and scopes.
    /// Asked at each heartbeat; callers with one credential share the cached answer. True while the database is unavailable.
    pub async fn still_valid(&self, hub: &Hub, caller: &Caller) -> bool {
        if hub.revoked(caller.key) || caller.expires_at.is_some_and(|at| at <= Micros::now()) {
            return false;
        }
        let found = match self.cached(&caller.credential.1) {
            Some(cached) => Some(cached),
            None => match self.look_up(caller.credential).await {
                Ok(found) => found,
                Err(_) => return true,
            },
        };
        found.is_some_and(|now| now.role == caller.role && now.scopes == caller.scopes)
    }

    /// Looks the credential up in the database, and caches it.
    async fn look_up(&self, credential: (CredentialKind, Hash)) -> Result<Option<Caller>, Problem> {
        let mut c = self.pool.acquire().await?;
        let (kind, hash) = &credential;
        let holder = match kind {
            CredentialKind::Key => keys::holder(&mut c, hash).await?,
            CredentialKind::Session => sessions::holder(&mut c, hash).await?,
        };
        let Some(holder) = holder else { return Ok(None) };
        if let Err(error) = keys::touch(&mut c, holder.tenant, holder.key).await {
            tracing::warn!(%error, key.id = %holder.key, "key last-used time not recorded");
        }
        let caller = Caller::new(holder, credential);
        self.lock().put(credential.1, (caller.clone(), Instant::now()));
        Ok(Some(caller))
    }

    fn cached(&self, hash: &Hash) -> Option<Caller> {
        let mut cache = self.lock();
        let (caller, at) = cache.get(hash)?;
        let expired = caller.expires_at.is_some_and(|at| at <= Micros::now());
        (at.elapsed() < CACHE_TTL && !expired).then(|| caller.clone())
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
    fn kind(&self) -> CredentialKind {
        match self {
            Self::Key(_) => CredentialKind::Key,
            Self::Session(_) => CredentialKind::Session,
        }
    }

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
/// own origin: that of the public URL, or the host that was called. The cookie is SameSite=Strict as well.
fn same_origin(method: &Method, headers: &HeaderMap, public_origin: Option<&str>) -> Result<(), Problem> {
    let upgrade = headers.contains_key(header::UPGRADE);
    if (method == Method::GET || method == Method::HEAD) && !upgrade {
        return Ok(());
    }
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let origin = headers.get(header::ORIGIN).and_then(|value| value.to_str().ok());
    if origin.is_some_and(|origin| public_origin.is_some_and(|public| public.eq_ignore_ascii_case(origin))) {
        return Ok(());
    }
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
        let check = |method: &Method, headers: &HeaderMap| same_origin(method, headers, None);
        assert!(check(&Method::POST, &own).is_ok());
        assert!(check(&Method::POST, &foreign).is_err());
        assert!(check(&Method::POST, &none).is_err());
        assert!(check(&Method::GET, &foreign).is_ok());
        // A proxy that does not pass the host on.
        let proxied = headers(&[("host", "10.0.0.7:8080"), ("origin", "https://luci.test")]);
        assert!(check(&Method::POST, &proxied).is_err());
        assert!(same_origin(&Method::POST, &proxied, Some("https://luci.test")).is_ok());
        for other in ["http://luci.test", "https://luci.test:8443", "https://evil.test"] {
            assert!(same_origin(&Method::POST, &proxied, Some(other)).is_err(), "{other}");
        }
        let mut socket = foreign;
        socket.insert("upgrade", HeaderValue::from_static("websocket"));
        assert!(check(&Method::GET, &socket).is_err(), "a WebSocket of another origin");
    }
}
