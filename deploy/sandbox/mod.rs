//! Providers to try LUCI with: a real HTTP server that answers as the vendors' documents say, charges nothing, and can
//! be told to be slow, busy or broken.
//!
//! Who is found, and with which numbers, follows from the person asked for alone, so a run has the same result each time.

mod apollo;
mod carriers;
mod fault;
mod ledger;
mod people;
mod phones;
mod posts;
mod realestate;
mod serve;
mod signalhouse;
mod spec;
mod tracerfy;
mod twilio;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{net::TcpListener, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use carriers::{ACCOUNT, CarrierFault, Carriers, KEY, TOKEN, Taken};
pub use fault::{Fault, Faults};
pub use ledger::{Entry, Ledger, Sums};
pub use posts::Post;
pub use spec::{FaultSpec, SpecError};

/// Providers that the sandbox answers for.
pub const PROVIDERS: [&str; 5] = ["apollo", "realestate", "tracerfy", "trestle", "twilio"];

#[derive(Debug, Clone)]
pub struct SandboxOptions {
    /// The key of every provider, however it is sent.
    pub key: String,
    /// Before each answer.
    pub delay: Duration,
    /// Of providers that are not in `specs`.
    pub faults: Faults,
    pub specs: Vec<FaultSpec>,
    /// People whose calls are counted one by one; of those that come later only the sums are kept.
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

/// A running sandbox; ends when it is dropped.
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
    faults: Mutex<fault::Plan>,
    ledger: Mutex<Ledger>,
    queues: Mutex<tracerfy::Queues>,
    posts: posts::Posts,
}

impl State {
    fn ledger(&self) -> std::sync::MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queues(&self) -> std::sync::MutexGuard<'_, tracerfy::Queues> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, fault::Plan> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sandbox {
    /// Listens on `listen` (port 0 for any) and answers from then on.
    pub async fn start(listen: SocketAddr, options: SandboxOptions) -> std::io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let state = Arc::new(State {
            faults: Mutex::new(fault::Plan::new(&options.faults, &options.specs)),
            ledger: Mutex::new(Ledger::new(options.ledger_people)),
            queues: Mutex::default(),
            posts: posts::Posts::default(),
            options,
        });
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve::serve(listener, state.clone(), stop.clone()));
        Ok(Self { address, state, stop, server })
    }

    /// `http://127.0.0.1:PORT`: the base URL of every provider; what was asked is at `/ledger` below it.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn key(&self) -> &str {
        &self.state.options.key
    }

    /// From the next call on, of every provider that has no faults of its own.
    pub fn set_faults(&self, faults: Faults) {
        self.state.faults().all = faults;
    }

    /// The next `times` calls meet this fault, before any rate is asked.
    pub fn fault_next(&self, fault: Fault, times: usize) {
        self.state.faults().next.extend(std::iter::repeat_n(fault, times));
    }

    /// Whether queues stay pending however often they are looked at.
    pub fn leave_queues_pending(&self, pending: bool) {
        self.state.queues().pending = pending;
    }

    /// As when a provider keeps queues for some time only.
    pub fn forget_queues(&self) {
        self.state.queues().forget();
    }

    /// From now on what would be posted to callers' addresses is kept for `held`.
    pub fn hold_posts(&self) {
        self.state.posts.hold();
    }

    /// What was kept since the last time.
    pub fn held(&self) -> Vec<Post> {
        self.state.posts.take()
    }

    /// Posts this, as often as it is called.
    pub async fn post(&self, post: &Post) -> reqwest::Result<reqwest::Response> {
        posts::one(&reqwest::Client::new(), post, self.key()).await
    }

    /// What was asked and billed so far.
    pub fn ledger(&self) -> Ledger {
        self.state.ledger().clone()
    }

    /// Stops answering; calls under way are cut off. As `stop`, while others still look at the ledger.
    pub async fn close(&self) {
        self.stop.cancel();
        while tokio::net::TcpStream::connect(self.address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Stops answering; calls under way are cut off.
    pub async fn stop(mut self) {
        self.stop.cancel();
        // Ends with the listener; an error says that it had ended already.
        let _ = (&mut self.server).await;
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
