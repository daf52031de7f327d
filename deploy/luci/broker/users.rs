//! What each process may do at nats-server: the whole list. A user that is not needed by a process is not known to it.
//!
//! Stream EVT is made, changed and removed by the relay alone, which repairs it from the log; stream SEALS by the clock, whose
//! sealer writes it. The names of consumers cannot be matched by a prefix, so each stage's is listed.

use luci_runs::{seal_stream::SEAL_STREAM, worker::consumer_name};
use luci_schema::{
    Stage,
    subject::{EVENT_STREAM, work_filter},
};

/// A user of nats-server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BrokerUser {
    /// Publishes events, and keeps stream EVT equal to the log.
    Relay,
    /// Pulls and acknowledges queued blocks, and publishes progress.
    Engine,
    /// Looks for lost deliveries, and writes stream SEALS.
    Clock,
    /// Subscribes to what dashboards are shown.
    Gateway,
    /// Answers the server's questions about clients, and ends their connections.
    Callout,
    /// Reads events and progress of all tenants: `luci env` prints it.
    Reader,
    /// An operator's commands, which repair and compare streams.
    Operator,
}

/// Subjects that a user may publish and subscribe to; everything else is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permissions {
    pub publish: Vec<String>,
    pub subscribe: Vec<String>,
}

impl BrokerUser {
    pub const ALL: [Self; 7] =
        [Self::Relay, Self::Engine, Self::Clock, Self::Gateway, Self::Callout, Self::Reader, Self::Operator];

    /// The user's name at the server. Users named `luci_…` have an inbox of their own (`luci_runs::broker`).
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relay => "luci_relay",
            Self::Engine => "luci_engine",
            Self::Clock => "luci_clock",
            Self::Gateway => "luci_gateway",
            Self::Callout => "luci_callout",
            Self::Reader => "luci_reader",
            Self::Operator => "luci_operator",
        }
    }

    /// What the user may do.
    pub fn permissions(self) -> Permissions {
        let inbox = format!("_INBOX_{}.>", self.name());
        let (publish, subscribe) = match self {
            Self::Relay => (relay(), vec![inbox]),
            Self::Engine => (engine(), vec![inbox]),
            Self::Clock => (clock(), vec![inbox]),
            Self::Gateway | Self::Reader => (Vec::new(), vec!["luci.>".into(), "tele.>".into(), inbox]),
            Self::Callout => (callout(), vec!["$SYS.REQ.USER.AUTH".into(), inbox]),
            Self::Operator => (vec![">".into()], vec![">".into()]),
        };
        Permissions { publish, subscribe }
    }
}

/// Its comparison of EVT with the log reads through consumers without a fixed name.
fn relay() -> Vec<String> {
    let mut allowed = vec!["evt.>".into(), "luci.>".into()];
    allowed.extend(["INFO", "CREATE", "UPDATE", "DELETE", "PURGE", "MSG.GET"].map(|verb| stream(verb, EVENT_STREAM)));
    allowed.push(format!("$JS.API.CONSUMER.CREATE.{EVENT_STREAM}"));
    allowed.extend(["CREATE", "INFO", "DELETE", "MSG.NEXT"].map(|verb| consumer(verb, "*")));
    allowed
}

fn engine() -> Vec<String> {
    let mut allowed = vec!["tele.>".into(), stream("INFO", EVENT_STREAM)];
    for stage in Stage::ALL {
        let name = consumer_name(stage);
        allowed.push(format!("{}.{}", consumer("CREATE", &name), work_filter(stage)));
        allowed.extend(["INFO", "MSG.NEXT"].map(|verb| consumer(verb, &name)));
        allowed.push(format!("$JS.ACK.{EVENT_STREAM}.{name}.>"));
    }
    allowed
}

fn clock() -> Vec<String> {
    let mut allowed = vec!["seal.>".into(), stream("INFO", EVENT_STREAM)];
    for stage in Stage::ALL {
        allowed.extend(["INFO", "DELETE"].map(|verb| consumer(verb, &consumer_name(stage))));
    }
    allowed.extend(["INFO", "CREATE", "DELETE", "MSG.GET"].map(|verb| stream(verb, SEAL_STREAM)));
    allowed
}

/// Answers go to inboxes of the server's system account.
fn callout() -> Vec<String> {
    ["$SYS._INBOX.>", "$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.SERVER.*.KICK"].map(str::to_owned).into()
}

fn stream(verb: &str, name: &str) -> String {
    format!("$JS.API.STREAM.{verb}.{name}")
}

fn consumer(verb: &str, name: &str) -> String {
    format!("$JS.API.CONSUMER.{verb}.{EVENT_STREAM}.{name}")
}
