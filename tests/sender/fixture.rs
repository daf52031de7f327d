//! Fixture: a tenant with a number, sandbox carriers with a ledger, queued messages, a sender.

use std::{
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use luci_config::{By, tenants, vault::Vault};
use luci_leads::commands::sectors;
use luci_leads::{
    Lead, lead_id,
    store::suppressions::{self, Kind, Reason},
};
use luci_messaging::{
    carriers::{CarrierAccounts, SendersConfig},
    rules::{channel, context::CampaignContext},
    sender::{self, SenderOptions},
    store::{
        send_batch::{ApprovalMode, SendBatch},
        send_settings,
        sms_queue::{self, NewMessage},
    },
};
use luci_sandbox::{Carriers, Taken};
use luci_schema::{
    BlockId, LeadId, MessageId, Micros, RunId, TenantId,
    log::{Log, LogOptions},
    migrate::{self, DatabaseRole},
};
use luci_storage::Storage;
use sqlx::PgPool;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{self, Database};

pub const NUMBER: &str = "+12125550100";
/// The last digits of the next number for `full_pass`.
static NEXT_NUMBER: AtomicU32 = AtomicU32::new(0);

pub struct Fixture {
    pub log: Log,
    pub tenant: TenantId,
    pub carriers: Carriers,
    /// Connections with the engine's role.
    pub engine: PgPool,
    /// Connections of the superuser.
    pub pool: PgPool,
    /// Dropped with the value.
    _database: Database,
}

pub async fn fixture() -> Fixture {
    let _first_wins = rustls::crypto::ring::default_provider().install_default();
    let database = support::database().await;
    let engine = migrate::connect(database.url(), DatabaseRole::Engine, 8).await.expect("a pool");
    let log = Log::open(engine.clone(), LogOptions::default()).await.expect("a log");
    let tenant = tenants::create(&log, "Test", "test", sectors::seed_new_tenant).await.expect("a tenant").tenant;
    let carriers = Carriers::start(([127, 0, 0, 1], 0).into(), Duration::ZERO).await.expect("a port");
    let pool = database.pool().await;
    let fixture = Fixture { log, tenant, carriers, engine, pool, _database: database };
    fixture.open_window(tenant).await;
    fixture.number(tenant, NUMBER, "signalhouse").await;
    fixture
}

/// A zone where it is noon now: the recipients' window is open there whenever a test runs.
pub fn noon() -> String {
    let hour = Micros::now().seconds().div_euclid(3_600).rem_euclid(24);
    // POSIX signs: Etc/GMT-9 is nine hours ahead.
    match 12 - hour {
        0 => "Etc/GMT".to_owned(),
        ahead if ahead > 0 => format!("Etc/GMT-{ahead}"),
        behind => format!("Etc/GMT+{}", -behind),
    }
}

/// Puts the recipients of everything that is queued where it is noon, however long after the runs' own look at their numbers.
pub async fn at_noon(pool: &PgPool) {
    for sql in ["update sms_queue set time_zones = array[$1]", "update dialer_queue set time_zones = array[$1]"] {
        sqlx::query(sql).bind(noon()).execute(pool).await.expect("moved");
    }
}

impl Fixture {
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

    pub async fn settings(&self, tenant: TenantId, change: impl FnOnce(&mut send_settings::SendSettings)) {
        let mut tx = self.engine.begin().await.expect("a transaction");
        let mut settings = send_settings::settings(&mut tx, tenant).await.expect("settings");
        change(&mut settings);
        send_settings::update(&mut tx, tenant, &self.log, &settings, &By::system(), None)
            .await
            .expect("settings that can be");
        tx.commit().await.expect("committed");
    }

    pub async fn number(&self, tenant: TenantId, number: &str, provider: &str) {
        let mut tx = self.engine.begin().await.expect("a transaction");
        let added = luci_messaging::store::sender_numbers::add(
            &mut tx,
            tenant,
            &self.log,
            (number, provider),
            &By::system(),
            None,
        )
        .await;
        added.expect("a number of nobody");
        tx.commit().await.expect("committed");
    }

    /// Leads `1..=count` of an input, each with one pending message to a number of its own.
    pub async fn queue(&self, tenant: TenantId, input: &str, count: u64) -> Vec<MessageId> {
        queue(&self.engine, tenant, input, count).await
    }

    /// One lead of an input with one pending message of a campaign, to the number of the row.
    pub async fn queue_one(&self, input: &str, row: u64, campaign: &str) -> MessageId {
        queue_rows(&self.engine, self.tenant, input, row..=row, campaign).await[0]
    }

    /// A sender of this process. Ends when the token is cancelled.
    pub fn sender(&self, options: SenderOptions, config: SendersConfig) -> Sending {
        let vault = Arc::new(Vault::new(&"5a".repeat(32).into()).expect("a key"));
        let messengers = CarrierAccounts::new(config, vault, options.call_timeout).expect("a client");
        let storage =
            Storage::local(support::temp_dir("journal"), String::new().into(), String::new()).expect("a folder");
        let (stop, engine) = (CancellationToken::new(), (self.engine.clone(), self.log.clone(), storage));
        let task = tokio::spawn(sender::run(options, engine, messengers, stop.clone()));
        Sending { stop, task }
    }

    pub fn start(&self) -> Sending {
        self.sender(quick(), luci::cli::sandbox::senders(&self.carriers))
    }

    /// A sender whose passes `full_pass` can count.
    pub fn start_one_a_turn(&self) -> Sending {
        self.sender(one_a_turn(), luci::cli::sandbox::senders(&self.carriers))
    }

    pub async fn suppress(&self, number: &str) {
        let mut c = self.engine.acquire().await.expect("a connection");
        suppressions::add(&mut c, self.tenant, Kind::Phone, number, Reason::OptOut, None).await.expect("suppressed");
    }

    pub async fn count(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.expect("a count")
    }

    /// Waits until the query counts so many.
    pub async fn until(&self, sql: &'static str, expected: i64) {
        support::eventually(&format!("{expected} by {sql}"), async || self.count(sql).await == expected).await;
    }

    /// Waits until a sender with options `one_a_turn` has given every tenant a turn that began after this call.
    ///
    /// A tenant made here sends three messages, one a pass. Of one or two senders, one has sent two of them: the pass with
    /// the first of the two began after this call and is over, and with it the turn of every tenant.
    pub async fn full_pass(&self) {
        let slug = TenantId::generate().to_string().to_lowercase().replace('_', "-");
        let tenant = tenants::create(&self.log, &slug, &slug, sectors::seed_new_tenant).await.expect("a tenant").tenant;
        self.open_window(tenant).await;
        let number = format!("+1646555{:04}", NEXT_NUMBER.fetch_add(1, Ordering::Relaxed));
        self.number(tenant, &number, "signalhouse").await;
        self.queue(tenant, &format!("import_{slug}"), 3).await;
        support::eventually("three passes over the tenants", async || {
            self.carriers.taken().iter().filter(|taken| taken.from == number).count() == 3
        })
        .await;
    }

    /// What the carriers took for the tenants of the test, without the messages of `full_pass`.
    pub fn taken(&self) -> Vec<Taken> {
        self.carriers.taken().into_iter().filter(|taken| !taken.from.starts_with("+1646555")).collect()
    }
}

/// Leads `1..=count` of an input, each with one pending message to a number of its own.
pub async fn queue(engine: &PgPool, tenant: TenantId, input: &str, count: u64) -> Vec<MessageId> {
    queue_rows(engine, tenant, input, 1..=count, "test").await
}

/// Leads of these rows of an input, each with one pending message of the campaign to the number of its row.
pub async fn queue_rows(
    engine: &PgPool,
    tenant: TenantId,
    input: &str,
    rows: RangeInclusive<u64>,
    campaign: &str,
) -> Vec<MessageId> {
    let mut c = engine.acquire().await.expect("a connection");
    let leads: Vec<Lead> = rows.map(|row| Lead::bare(lead_id(input, row), row, row)).collect();
    luci_leads::store::leads::save(&mut c, tenant, input, &leads.iter().collect::<Vec<_>>()).await.expect("saved");
    let messages: Vec<NewMessage> =
        leads.iter().map(|lead| message(tenant, lead.lead_id, lead.row, campaign)).collect();
    let queuing = SendBatch {
        run: RunId::generate(),
        block: BlockId::generate(),
        campaign,
        context: CampaignContext::Initial,
        mode: ApprovalMode::Immediate,
        agent: "gianna",
        media_url: None,
    };
    sms_queue::queue(&mut c, tenant, &queuing, &messages).await.expect("queued");
    messages.iter().map(|message| message.id).collect()
}

pub fn to(row: u64) -> String {
    format!("+1917555{row:04}")
}

fn message(tenant: TenantId, lead: LeadId, row: u64, campaign: &str) -> NewMessage {
    NewMessage {
        id: MessageId::generate(),
        send_key: channel::send_key(tenant, channel::Channel::Sms, &to(row), campaign, 1),
        lead_id: lead,
        to: to(row),
        body: format!("Hello {row}. Reply STOP to opt out."),
        priority: 5,
        attempt_number: 1,
        template: None,
        template_version: None,
        segments: 1,
        time_zones: vec![noon()],
    }
}

/// Short times, so that tests do not wait long.
pub fn quick() -> SenderOptions {
    SenderOptions {
        poll: Duration::from_millis(50),
        call_timeout: Duration::from_secs(2),
        claim_timeout: Duration::from_secs(4),
        retry: Duration::from_millis(100),
        ..SenderOptions::default()
    }
}

/// One message a tenant and pass, so that messages count passes.
pub fn one_a_turn() -> SenderOptions {
    SenderOptions { turn: 1, ..quick() }
}

pub struct Sending {
    stop: CancellationToken,
    task: JoinHandle<Result<(), luci_config::AdminError>>,
}

impl Sending {
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("joined").expect("ended well");
    }
}
