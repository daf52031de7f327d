//! An endpoint: method, path, operation, right and handler.

use std::sync::Arc;

use futures::future::BoxFuture;
use http::Method;
use luci_config::Right;
use warp::reply::Response;

use crate::{App, caller::Caller, early_response::EarlyResponse, rate_limit::AddressScope, request::Request};

pub type HandlerResult = Result<Response, EarlyResponse>;
type HandlerFuture = BoxFuture<'static, HandlerResult>;

/// The function of an endpoint, and who may call it.
#[derive(Clone, Copy)]
pub enum Handler {
    /// Anyone: the request carries its own proof (a signature), or the response is not secret.
    Public(fn(Arc<App>, Request) -> HandlerFuture),
    /// A caller with this right.
    Authenticated(Right, fn(Arc<App>, Caller, Request) -> HandlerFuture),
}

/// One endpoint.
pub struct Route {
    pub method: Method,
    /// `{name}` matches one segment, `{name*}` the rest of the path.
    pub template: &'static str,
    /// The operation id in `openapi.yaml`, in metrics and in logs.
    pub operation: &'static str,
    pub handler: Handler,
}

impl Route {
    /// The scope of a key that includes the endpoint: the first segment below `/api`.
    pub fn scope(&self) -> &'static str {
        match self.template.strip_prefix("/api/") {
            Some(below) => below.split('/').next().unwrap_or_default(),
            None => "pipelines",
        }
    }

    /// What a request without a caller counts against; `None` for what monitoring asks.
    pub fn address_scope(&self) -> Option<AddressScope> {
        match self.operation {
            "getHealth" | "getReadiness" | "getMetrics" => None,
            "receiveWebhook" | "receiveWebhookByNumber" => Some(AddressScope::Webhook),
            _ => Some(AddressScope::Address),
        }
    }
}

pub const fn public(
    method: Method,
    template: &'static str,
    operation: &'static str,
    handler: fn(Arc<App>, Request) -> HandlerFuture,
) -> Route {
    Route { method, template, operation, handler: Handler::Public(handler) }
}

pub const fn read(
    template: &'static str,
    operation: &'static str,
    handler: fn(Arc<App>, Caller, Request) -> HandlerFuture,
) -> Route {
    Route { method: Method::GET, template, operation, handler: Handler::Authenticated(Right::Read, handler) }
}

pub const fn get(
    template: &'static str,
    operation: &'static str,
    right: Right,
    handler: fn(Arc<App>, Caller, Request) -> HandlerFuture,
) -> Route {
    Route { method: Method::GET, template, operation, handler: Handler::Authenticated(right, handler) }
}

pub const fn post(
    template: &'static str,
    operation: &'static str,
    right: Right,
    handler: fn(Arc<App>, Caller, Request) -> HandlerFuture,
) -> Route {
    Route { method: Method::POST, template, operation, handler: Handler::Authenticated(right, handler) }
}

pub const fn put(
    template: &'static str,
    operation: &'static str,
    right: Right,
    handler: fn(Arc<App>, Caller, Request) -> HandlerFuture,
) -> Route {
    Route { method: Method::PUT, template, operation, handler: Handler::Authenticated(right, handler) }
}

pub const fn patch(
    template: &'static str,
    operation: &'static str,
    right: Right,
    handler: fn(Arc<App>, Caller, Request) -> HandlerFuture,
) -> Route {
    Route { method: Method::PATCH, template, operation, handler: Handler::Authenticated(right, handler) }
}

pub const fn delete(
    template: &'static str,
    operation: &'static str,
    right: Right,
    handler: fn(Arc<App>, Caller, Request) -> HandlerFuture,
) -> Route {
    Route { method: Method::DELETE, template, operation, handler: Handler::Authenticated(right, handler) }
}
