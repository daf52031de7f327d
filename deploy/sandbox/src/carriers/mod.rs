//! The carriers SignalHouse and Twilio: one server that answers as their documents say, delivers nothing, and records every
//! message and call that it accepted. A new carrier is a file with its `CARRIER`, its `mod` here and its line in the list.

mod signalhouse;
mod twilio;

use std::{
    collections::VecDeque,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Response};
use luci_schema::Micros;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;
use warp::Filter;

use crate::{lock, server::reply};

/// Which paths a carrier answers, and how.
struct Carrier {
    prefixes: &'static [&'static str],
    handler: fn(&CarrierRequest<'_>, &Outbox) -> Reply,
}

const CARRIERS: &[Carrier] = &[signalhouse::CARRIER, twilio::CARRIER];

/// The credentials that every carrier accepts.
pub const KEY: &str = "sandbox-key";
pub const TOKEN: &str = "sandbox-token";
pub const ACCOUNT: &str = "ACsandbox";

/// The numbers that the account has at every carrier.
pub fn numbers() -> impl Iterator<Item = String> {
    let of = |area: u32| (0..200).map(move |line| format!("+1{area}5550{line:03}"));
    [212, 646].into_iter().flat_map(of)
}

/// The short code, and the messaging service, that it has at Twilio.
pub const SHORT_CODE: &str = "72345";
pub const SERVICE: &str = "MG00000000000000000000000000000001";

/// A message or call that a carrier accepted.
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
    /// Of a call: pressed after it is answered.
    pub send_digits: Option<String>,
    pub report_to: Option<String>,
    #[serde(skip)]
    pub at: Micros,
}

/// What can go wrong with one request to send. A send that is accepted can still look failed to its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarrierFault {
    /// 429 with `Retry-After`, in seconds; not accepted.
    RateLimited(u32),
    /// 503; not accepted.
    Unavailable,
    /// 400; not accepted.
    Refused,
    /// 400 with this code in the body, as Twilio words it; not accepted.
    Coded(u32),
    /// 401; not accepted.
    Unauthorised,
    /// Accepted, but the answer is a 502.
    Lost,
    /// Accepted, but never answered.
    Silent,
}

/// The running carriers; dropping them stops the server.
#[derive(Debug)]
pub struct Carriers {
    address: SocketAddr,
    outbox: Arc<Outbox>,
    stop: CancellationToken,
    _server: JoinHandle<()>,
}

/// What was accepted, and how the next sends go.
#[derive(Debug)]
struct Outbox {
    /// Between accepting a send and answering it.
    delay: Duration,
    taken: Mutex<Vec<Taken>>,
    faults: Mutex<VecDeque<CarrierFault>>,
}

impl Outbox {
    /// Records a send; its id gets a number of its own.
    fn take(&self, mut taken: Taken) -> Taken {
        let mut all = lock(&self.taken);
        taken.id = format!("{}{:08}", taken.id, all.len() + 1);
        taken.at = Micros::now();
        all.push(taken.clone());
        taken
    }

    fn taken(&self) -> Vec<Taken> {
        lock(&self.taken).clone()
    }
}

/// One HTTP request.
struct CarrierRequest<'a> {
    method: &'a http::Method,
    path: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

/// Status and body.
type Reply = (u16, Value);

impl Carriers {
    /// Listens on `listen` (port 0 for any free one). Each send is accepted at once and answered after `delay`.
    pub async fn start(listen: SocketAddr, delay: Duration) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let outbox = Arc::new(Outbox { delay, taken: Mutex::default(), faults: Mutex::default() });
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, outbox.clone(), stop.clone()));
        Ok(Self { address, outbox, stop, _server: server })
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The next `times` sends meet this fault.
    pub fn fault_next(&self, fault: CarrierFault, times: usize) {
        lock(&self.outbox.faults).extend(std::iter::repeat_n(fault, times));
    }

    /// Every send that was accepted, in order.
    pub fn taken(&self) -> Vec<Taken> {
        self.outbox.taken()
    }
}

impl Drop for Carriers {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn serve(listener: TcpListener, outbox: Arc<Outbox>, stop: CancellationToken) {
    let query = warp::query::raw().or(warp::any().map(String::new)).unify();
    let routes = warp::method()
        .and(warp::path::full())
        .and(query)
        .and(warp::header::headers_cloned())
        .and(warp::body::bytes())
        .and_then(
            move |method: http::Method, path: warp::path::FullPath, query: String, headers: HeaderMap, body: Bytes| {
                let outbox = outbox.clone();
                async move {
                    let (path, query, headers, body) = (path.as_str(), &query, &headers, &body);
                    let request = CarrierRequest { method: &method, path, query, headers, body };
                    Ok::<_, Infallible>(answer(&request, &outbox).await)
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

async fn answer(request: &CarrierRequest<'_>, outbox: &Outbox) -> Response<Bytes> {
    if request.path == "/ledger" {
        return reply(200, &json!(outbox.taken()));
    }
    let Some(carrier) =
        CARRIERS.iter().find(|carrier| carrier.prefixes.iter().any(|prefix| request.path.starts_with(prefix)))
    else {
        return reply(404, &json!({"success": false, "error": "no such call"}));
    };
    let execute = || (carrier.handler)(request, outbox);
    if request.method != http::Method::POST {
        let (status, body) = execute();
        return reply(status, &body);
    }
    let fault = lock(&outbox.faults).pop_front();
    let failed = |status| reply(status, &json!({"success": false, "error": "fault of the sandbox", "status": status}));
    match fault {
        Some(CarrierFault::RateLimited(seconds)) => {
            let mut response = failed(429);
            response.headers_mut().insert("retry-after", seconds.into());
            response
        }
        Some(CarrierFault::Unavailable) => failed(503),
        Some(CarrierFault::Refused) => failed(400),
        Some(CarrierFault::Coded(code)) => {
            reply(400, &json!({"code": code, "message": "fault of the sandbox", "status": 400}))
        }
        Some(CarrierFault::Unauthorised) => failed(401),
        Some(CarrierFault::Lost) => {
            // Accepted; only the answer is lost.
            let _ = execute();
            failed(502)
        }
        Some(CarrierFault::Silent) => {
            let _ = execute();
            std::future::pending().await
        }
        None => {
            let (status, body) = execute();
            tokio::time::sleep(outbox.delay).await;
            reply(status, &body)
        }
    }
}
