//! The sandbox: outside providers as a real HTTP server that answers as the vendors' documents say, bills nothing, and can
//! be made slow, rate limited or faulty.
//!
//! Who is found, and with which numbers, depends only on the person in the request, so a run has the same result each time.
//! Two servers: [`Sandbox`] for the providers that enrich leads, [`Carriers`] for those that deliver messages.

mod carriers;
mod fault_spec;
mod faults;
mod ledger;
mod people;
mod provider;
mod providers;
mod queues;
mod server;
mod webhooks;

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use carriers::{ACCOUNT, CarrierFault, Carriers, KEY, TOKEN, Taken};
pub use fault_spec::SpecError;
pub use faults::{Fault, FaultSpec, Faults};
pub use ledger::{Entry, Ledger, Totals};
pub use provider::Provider;
pub use providers::PROVIDERS;
pub use webhooks::Post;

use provider::{Answer, Context, Request, Route};

#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// The key of every provider.
    pub key: String,
    /// Before each answer.
    pub delay: Duration,
    /// Of providers that are not in `specs`.
    pub faults: Faults,
    pub specs: Vec<FaultSpec>,
    /// People that get a ledger entry of their own; of later ones only totals are kept.
    pub ledger_people: usize,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        Self {
            key: "sandbox-key".into(),
            delay: Duration::ZERO,
            faults: Faults::default(),
            specs: Vec::new(),
            ledger_people: 100_000,
        }
    }
}

/// A running sandbox; dropping it stops the server.
#[derive(Debug)]
pub struct Sandbox {
    address: SocketAddr,
    state: Arc<State>,
    stop: CancellationToken,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct State {
    options: SandboxOptions,
    faults: Mutex<faults::Plan>,
    ledger: Mutex<Ledger>,
    queues: Mutex<queues::Queues>,
    webhooks: webhooks::Webhooks,
    traces: Mutex<BTreeSet<String>>,
}

/// Trace contexts that are remembered.
const TRACES: usize = 10_000;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    fn faults(&self) -> MutexGuard<'_, faults::Plan> {
        lock(&self.faults)
    }

    fn remember_trace(&self, trace: &str) {
        let mut traces = lock(&self.traces);
        if traces.len() < TRACES {
            traces.insert(trace.to_owned());
        }
    }

    /// Executes a request.
    fn run(&self, route: &Route, request: &Request) -> Answer {
        self.run_with(route, request, &mut self.ledger())
    }

    /// Counts whom a request contains that a fault keeps from being executed.
    fn run_faulty(&self, provider: &Provider, route: &Route, request: &Request) {
        let mut ledger = self.ledger();
        ledger.begin_fault(provider.name);
        // The answer is the fault's.
        let _ = self.run_with(route, request, &mut ledger);
        ledger.end_fault();
    }

    fn run_with(&self, route: &Route, request: &Request, ledger: &mut Ledger) -> Answer {
        let (mut queues, webhooks) = (lock(&self.queues), &self.webhooks);
        (route.handler)(request, &mut Context { ledger, queues: &mut queues, webhooks, key: &self.options.key })
    }
}

impl Sandbox {
    /// Listens on `listen` (port 0 for any free one).
    pub async fn start(listen: SocketAddr, options: SandboxOptions) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            faults: Mutex::new(faults::Plan::new(&options.faults, &options.specs)),
            ledger: Mutex::new(Ledger::new(options.ledger_people)),
            queues: Mutex::default(),
            webhooks: webhooks::Webhooks::default(),
            traces: Mutex::default(),
            options,
        });
        let stop = CancellationToken::new();
        let server = tokio::spawn(server::serve(listener, state.clone(), stop.clone()));
        Ok(Self { address, state, stop, server })
    }

    /// `http://127.0.0.1:PORT`: the base URL of every provider; the ledger is at `/ledger` below it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn key(&self) -> &str {
        &self.state.options.key
    }

    /// Sets the faults of every provider that has none of its own, from the next call on.
    pub fn set_faults(&self, faults: Faults) {
        self.state.faults().all = faults;
    }

    /// The next `times` calls meet this fault, whatever the rates say.
    pub fn fault_next(&self, fault: Fault, times: usize) {
        self.state.faults().next.extend(std::iter::repeat_n(fault, times));
    }

    /// Whether queues stay pending however often they are polled.
    pub fn leave_queues_pending(&self, pending: bool) {
        lock(&self.state.queues).pending = pending;
    }

    /// Drops every queue, as a provider does after some time.
    pub fn forget_queues(&self) {
        lock(&self.state.queues).clear();
    }

    /// From now on webhooks are not called: their posts are kept for `held`.
    pub fn hold_posts(&self) {
        self.state.webhooks.hold();
    }

    /// The posts that were kept since the last call.
    pub fn held(&self) -> Vec<Post> {
        self.state.webhooks.take()
    }

    /// Calls a webhook, as often as this is called.
    pub async fn post(&self, post: &Post) -> reqwest::Result<reqwest::Response> {
        webhooks::deliver(&reqwest::Client::new(), post, self.key()).await
    }

    /// The `traceparent` headers of the calls so far.
    pub fn traces(&self) -> BTreeSet<String> {
        lock(&self.state.traces).clone()
    }

    /// A copy of the ledger.
    pub fn ledger(&self) -> Ledger {
        self.state.ledger().clone()
    }

    /// As `stop`, for a sandbox that others still hold.
    pub async fn close(&self) {
        self.stop.cancel();
        while tokio::net::TcpStream::connect(self.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops the server; open calls are cut off.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // An error says that the server had ended before.
        let _ = (&mut self.server).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
