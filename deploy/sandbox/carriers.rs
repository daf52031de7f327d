//! SignalHouse and Twilio to try the sender with: one server that answers as their documents say, sends nothing, and keeps
//! a ledger of every message and call that it took.

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use luci_engine::sender::{SendersConfig, SignalHouseAccess, TwilioAccess};
use luci_schema::Micros;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use warp::Filter;

use super::{signalhouse, twilio};

/// The credentials that both take.
pub const KEY: &str = "sandbox-key";
pub const TOKEN: &str = "sandbox-token";
pub const ACCOUNT: &str = "ACsandbox";

/// A message or call that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Taken {
    pub provider: &'static str,
    /// `sms`, `mms` or `call`.
    pub channel: &'static str,
    pub id: String,
    pub from: String,
    pub to: String,
    pub body: String,
    pub media_url: Option<String>,
    pub report_to: Option<String>,
    #[serde(skip)]
    pub at: Micros,
}

/// What can go wrong with one request to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarrierFault {
    /// 429 with `Retry-After`, in seconds; not taken.
    RateLimited(u32),
    /// 503; not taken.
    Unavailable,
    /// 400; not taken.
    Refused,
    /// 401; not taken.
    Unauthorised,
    /// Taken, but the answer is a 502.
    Lost,
    /// Taken, but nothing is ever answered.
    Silent,
}

/// A running pair of carriers; ends when it is dropped.
#[derive(Debug)]
pub struct Carriers {
    address: SocketAddr,
    state: Arc<State>,
    stop: CancellationToken,
    _server: JoinHandle<()>,
}

#[derive(Debug)]
pub(super) struct State {
    /// Between taking a message and answering.
    delay: Duration,
    taken: Mutex<Vec<Taken>>,
    faults: Mutex<VecDeque<CarrierFault>>,
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Notes what was taken, under an id of its own.
    pub(super) fn take(&self, mut taken: Taken) -> Taken {
        let mut all = lock(&self.taken);
        taken.id = format!("{}{:08}", taken.id, all.len() + 1);
        taken.at = Micros::now();
        all.push(taken.clone());
        taken
    }

    pub(super) fn taken(&self) -> Vec<Taken> {
        lock(&self.taken).clone()
    }
}

/// One request, read.
pub(super) struct Asked<'a> {
    pub method: &'a http::Method,
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
}

/// What a carrier says to a request, and whether it was one to send.
pub(super) type Said = (u16, Value);

impl Carriers {
    /// Listens on `listen` (port 0 for any). Each send is taken at once and answered after `delay`.
    pub async fn start(listen: SocketAddr, delay: Duration) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State { delay, taken: Mutex::default(), faults: Mutex::default() });
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, state.clone(), stop.clone()));
        Ok(Self { address, state, stop, _server: server })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How a sender reaches both.
    pub fn config(&self) -> SendersConfig {
        SendersConfig { signalhouse: Some(self.signalhouse()), twilio: Some(self.twilio()), public_url: None }
    }

    pub fn signalhouse(&self) -> SignalHouseAccess {
        SignalHouseAccess { base_url: self.url(), key: KEY.to_owned().into(), token: TOKEN.to_owned().into() }
    }

    pub fn twilio(&self) -> TwilioAccess {
        TwilioAccess { base_url: self.url(), account_sid: ACCOUNT.into(), auth_token: TOKEN.to_owned().into() }
    }

    /// The next `times` requests to send meet this fault.
    pub fn fault_next(&self, fault: CarrierFault, times: usize) {
        lock(&self.state.faults).extend(std::iter::repeat_n(fault, times));
    }

    /// Everything that was taken, in order.
    pub fn taken(&self) -> Vec<Taken> {
        self.state.taken()
    }
}

impl Drop for Carriers {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>, stop: CancellationToken) {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let routes = warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::body::bytes())
        .and_then(
            move |method: http::Method, path: warp::path::FullPath, query: String, headers: HeaderMap, body: Bytes| {
                let state = state.clone();
                async move {
                    let asked =
                        Asked { method: &method, path: path.as_str(), query: &query, headers: &headers, body: &body };
                    Ok::<_, Infallible>(answer(&state, &asked).await)
                }
            },
        );
    let stopped = stop.clone();
    let serving = warp::serve(routes).incoming(listener).graceful(async move { stopped.cancelled().await }).run();
    tokio::select! {
        () = serving => {}
        () = stop.cancelled() => {}
    }
}

async fn answer(state: &State, asked: &Asked<'_>) -> Response<Bytes> {
    if asked.path == "/ledger" {
        return reply(200, &json!(state.taken()));
    }
    let carrier = |asked: &Asked<'_>| match asked.path.starts_with("/2010-04-01/") {
        true => twilio::answer(state, asked),
        false => signalhouse::answer(state, asked),
    };
    if asked.method != http::Method::POST {
        let (status, body) = carrier(asked);
        return reply(status, &body);
    }
    let fault = lock(&state.faults).pop_front();
    let refused = |status| reply(status, &json!({"success": false, "error": "told to", "status": status}));
    match fault {
        Some(CarrierFault::RateLimited(seconds)) => {
            let mut response = refused(429);
            response.headers_mut().insert("retry-after", seconds.into());
            response
        }
        Some(CarrierFault::Unavailable) => refused(503),
        Some(CarrierFault::Refused) => refused(400),
        Some(CarrierFault::Unauthorised) => refused(401),
        Some(CarrierFault::Lost) => {
            let _taken_though_nobody_hears = carrier(asked);
            refused(502)
        }
        Some(CarrierFault::Silent) => {
            let _taken_though_nobody_hears = carrier(asked);
            std::future::pending().await
        }
        None => {
            let (status, body) = carrier(asked);
            tokio::time::sleep(state.delay).await;
            reply(status, &body)
        }
    }
}

fn reply(status: u16, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}
