//! What describes a provider of the sandbox: its name, how callers authenticate, and its routes.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, Method};
use serde_json::Value;

use crate::{faults::Fault, ledger::Ledger, queues::Queues, webhooks::Webhooks};

/// A provider that the sandbox answers for.
#[derive(Debug)]
pub struct Provider {
    /// In lower case: as in the ledger, in a fault spec, and in `LUCI_{NAME}_URL`.
    pub name: &'static str,
    /// The account that callers send beside the key; `None` for a provider that has no accounts.
    pub account: Option<&'static str>,
    pub(crate) auth: Auth,
    pub(crate) routes: &'static [Route],
    /// Fields of answers that hold a list. A partial answer is cut there; an answer that is itself a list is cut too.
    pub(crate) lists: &'static [&'static str],
}

/// How a caller sends the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Auth {
    /// `x-api-key: KEY`.
    ApiKey,
    /// `authorization: Bearer KEY`.
    Bearer,
    /// `authorization: Basic base64(ACCOUNT:KEY)`; any account is accepted.
    Basic,
}

impl Auth {
    /// Whether the headers hold `key`.
    pub fn accepts(self, key: &str, headers: &HeaderMap) -> bool {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        match self {
            Self::ApiKey => header("x-api-key") == key,
            Self::Bearer => header("authorization") == format!("Bearer {key}"),
            Self::Basic => header("authorization")
                .strip_prefix("Basic ")
                .and_then(|text| BASE64_STANDARD.decode(text).ok())
                .is_some_and(|pair| pair.ends_with(format!(":{key}").as_bytes())),
        }
    }
}

/// One method and path of a provider.
#[derive(Debug)]
pub(crate) struct Route {
    pub method: Method,
    /// A path that ends with `/` matches every path below it too.
    pub path: &'static str,
    pub kind: RouteKind,
    pub handler: Handler,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RouteKind {
    /// Needs the key, can meet a fault, and is counted in the ledger.
    Billed,
    /// A health check: answered to every caller, without delay, fault or ledger entry, unless the provider is down.
    Health,
}

pub(crate) type Handler = fn(&Request, &mut Context) -> Answer;

impl Route {
    pub const fn get(path: &'static str, handler: Handler) -> Self {
        Self { method: Method::GET, path, kind: RouteKind::Billed, handler }
    }

    pub const fn post(path: &'static str, handler: Handler) -> Self {
        Self { method: Method::POST, path, kind: RouteKind::Billed, handler }
    }

    pub const fn health(path: &'static str, handler: Handler) -> Self {
        Self { method: Method::GET, path, kind: RouteKind::Health, handler }
    }

    /// What follows the route's path in `path`; `None` when it does not match.
    pub fn tail<'a>(&self, path: &'a str) -> Option<&'a str> {
        path.strip_prefix(self.path).filter(|tail| tail.is_empty() || self.path.ends_with('/'))
    }
}

/// A request as its provider reads it.
pub(crate) struct Request<'a> {
    /// `null` when the body is not JSON.
    pub body: Value,
    pub raw: &'a [u8],
    pub content_type: &'a str,
    pub query: BTreeMap<String, String>,
    /// What follows the path of the route.
    pub tail: &'a str,
    /// Whether the caller sent the key; always true but in a health check.
    pub authorised: bool,
    /// The fault that this call meets.
    pub fault: Option<Fault>,
}

/// What a handler may change.
pub(crate) struct Context<'a> {
    pub ledger: &'a mut Ledger,
    pub queues: &'a mut Queues,
    pub webhooks: &'a Webhooks,
    /// The key of every provider.
    pub key: &'a str,
}

/// The answer of a provider, before faults.
pub(crate) type Answer = Result<Value, RequestError>;

/// A provider's refusal of a request.
#[derive(Debug)]
pub(crate) struct RequestError {
    pub status: u16,
    pub message: &'static str,
}

impl RequestError {
    pub const fn new(status: u16, message: &'static str) -> Self {
        Self { status, message }
    }
}
