//! A tenant with a number, carriers that keep a ledger, and queued messages.

use std::{sync::Arc, time::Duration};

use luci::sandbox::Carriers;
use luci_engine::{
    admin::{By, sending, tenants, vault::Vault},
    book::{
        sms_queue::{self, Message, Mode, Queuing},
        suppressions::{self, Kind, Reason},
    },
    lead::{Lead, channel, context::Context, lead_id},
    sender::{self, Messengers, SenderOptions, SendersConfig},
};
use luci_schema::{
    BlockId, LeadId, MessageId, Micros, RunId, TenantId,
    log::{Log, LogOptions},
    migrate::{self, Role},
};
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{self, Database};

pub const NUMBER: &str = "+12125550100";

pub struct Ground {
    pub log: Log,
    pub tenant: TenantId,
    pub carriers: Carriers,
    /// As the engine.
    pub engine: PgPool,
    /// As superuser.
    pub pool: PgPool,
    /// Goes with the value.
    _database: Database,
}

pub async fn ground() -> Ground {
    let _first_wins = rustls::crypto::ring::default_provider().install_default();
    let database = support::database().await;
    let engine = migrate::connect(database.url(), Role::Engine, 8).await.expect("a pool");
    let log = Log::open(engine.clone(), LogOptions::default()).await.expect("a log");
    let tenant = tenants::found(&log, "Test", "test").await.expect("a tenant").tenant;
    let carriers = Carriers::start(([127, 0, 0, 1], 0).into(), Duration::ZERO).await.expect("a port");
    let pool = database.pool().await;
    let ground = Ground { log, tenant, carriers, engine, pool, _database: database };
    ground.open_window(tenant).await;
    ground.number(tenant, NUMBER, "signalhouse").await;
    ground
}

/// A zone where it is noon now: the recipients' window is open whenever a test runs.
pub fn noon() -> String {
    let hour = Micros::now().seconds().div_euclid(3_600).rem_euclid(24);
    // POSIX signs: Etc/GMT-9 is nine hours ahead.
    match 12 - hour {
        0 => "Etc/GMT".to_owned(),
        ahead if ahead > 0 => format!("Etc/GMT-{ahead}"),
        behind => format!("Etc/GMT+{}", -behind),
    }
}

impl Ground {
    pub async fn open_window(&self, tenant: TenantId) {
        self.settings(tenant, |settings| {
            settings.time_zone = noon();
            settings.window_from = "08:00".into();
            settings.window_to = "21:00".into();
            settings.days = (1..=7).collect();
            settings.pause_ms = 0;
        })
        .await;
    }

    pub async fn settings(&self, tenant: TenantId, change: impl FnOnce(&mut sending::Settings)) {
        let mut tx = self.engine.begin().await.expect("a transaction");
        let mut settings = sending::settings(&mut tx, tenant).await.expect("settings");
        change(&mut settings);
        sending::update(&mut tx, tenant, &self.log, &settings, &By::system(), None)
            .await
            .expect("settings that can be");
        tx.commit().await.expect("committed");
    }

    pub async fn number(&self, tenant: TenantId, number: &str, provider: &str) {
        let mut tx = self.engine.begin().await.expect("a transaction");
        let added = sending::add_number(&mut tx, tenant, &self.log, (number, provider), &By::system(), None).await;
        added.expect("a number of nobody");
        tx.commit().await.expect("committed");
    }

    /// Leads `1..=count` of an input, each with one pending message to a number of its own.
    pub async fn queue(&self, tenant: TenantId, input: &str, count: u64) -> Vec<MessageId> {
        queue(&self.engine, tenant, input, count).await
    }

    /// A sender of this process. Ends when the token is cancelled.
    pub fn sender(&self, options: SenderOptions, config: SendersConfig) -> Sending {
        let vault = Arc::new(Vault::new(&"5a".repeat(32).into()).expect("a key"));
        let messengers = Messengers::new(config, vault, options.call_timeout).expect("a client");
        let (stop, pool) = (CancellationToken::new(), self.engine.clone());
        let task = tokio::spawn(sender::run(options, pool, messengers, stop.clone()));
        Sending { stop, task }
    }

    pub fn start(&self) -> Sending {
        self.sender(quick(), self.carriers.config())
    }

    pub async fn suppress(&self, number: &str) {
        let mut c = self.engine.acquire().await.expect("a connection");
        suppressions::add(&mut c, self.tenant, Kind::Phone, number, Reason::OptOut, None).await.expect("suppressed");
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.expect("a count")
    }

    /// Waits until the query counts so many.
    pub async fn until(&self, sql: &'static str, wanted: i64) {
        for _ in 0..600 {
            if self.count(sql).await == wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let rows: Vec<(String, Option<String>)> =
            sqlx::query_as("select status, error_code from sms_queue").fetch_all(&self.pool).await.expect("rows");
        panic!("never {wanted}: {sql}\n{rows:?}");
    }
}

/// Leads `1..=count` of an input, each with one pending message to a number of its own.
pub async fn queue(engine: &PgPool, tenant: TenantId, input: &str, count: u64) -> Vec<MessageId> {
    let mut c = engine.acquire().await.expect("a connection");
    let leads: Vec<Lead> = (1..=count).map(|row| Lead::bare(lead_id(input, row), row, row)).collect();
    luci_engine::book::leads::save(&mut c, tenant, input, &leads.iter().collect::<Vec<_>>()).await.expect("saved");
    let messages: Vec<Message> = leads.iter().map(|lead| message(tenant, lead.lead_id, lead.row)).collect();
    let queuing = Queuing {
        run: RunId::generate(),
        block: BlockId::generate(),
        campaign: "test",
        context: Context::Initial,
        mode: Mode::Immediate,
        agent: "gianna",
        media_url: None,
    };
    sms_queue::queue(&mut c, tenant, &queuing, &messages).await.expect("queued");
    messages.iter().map(|message| message.id).collect()
}

pub fn to(row: u64) -> String {
    format!("+1917555{row:04}")
}

fn message(tenant: TenantId, lead: LeadId, row: u64) -> Message {
    Message {
        id: MessageId::generate(),
        send_key: channel::send_key(tenant, channel::Channel::Sms, lead, "test", 1),
        lead_id: lead,
        to: to(row),
        body: format!("Hello {row}. Reply STOP to opt out."),
        priority: 5,
        attempt_number: 1,
        template: None,
        template_version: None,
        segments: 1,
        time_zone: None,
    }
}

/// Short times, so that what is waited for comes soon.
pub fn quick() -> SenderOptions {
    SenderOptions {
        poll: Duration::from_millis(50),
        call_timeout: Duration::from_secs(2),
        claim_timeout: Duration::from_secs(4),
        retry: Duration::from_millis(100),
        ..SenderOptions::default()
    }
}

pub struct Sending {
    stop: CancellationToken,
    task: JoinHandle<Result<(), luci_engine::admin::AdminError>>,
}

impl Sending {
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("joined").expect("ended well");
    }
}
