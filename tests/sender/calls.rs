//! Calls: placed for tenants that say what is to be said, once each.

use luci::sandbox::CarrierFault;
use luci_engine::{
    book::{
        dialer_queue::{self, Call},
        leads,
        sms_queue::{Mode, Queuing},
    },
    lead::{Lead, channel, context::Context, lead_id},
};
use luci_schema::{BlockId, CallId, RunId};

use super::ground::{Ground, ground, to};

async fn queue_calls(ground: &Ground, count: u64) {
    let mut c = ground.engine.acquire().await.expect("a connection");
    let found: Vec<Lead> = (1..=count).map(|row| Lead::bare(lead_id("import_calls", row), row, row)).collect();
    leads::save(&mut c, ground.tenant, "import_calls", &found.iter().collect::<Vec<_>>()).await.expect("saved");
    let call = |lead: &Lead| Call {
        id: CallId::generate(),
        send_key: channel::send_key(ground.tenant, channel::Channel::Call, lead.lead_id, "test", 1),
        lead_id: lead.lead_id,
        phone: to(lead.row),
        contact_name: None,
        company_name: None,
        priority: 5,
        attempt_number: 1,
        time_zone: None,
    };
    let calls: Vec<Call> = found.iter().map(call).collect();
    let queuing = Queuing {
        run: RunId::generate(),
        block: BlockId::generate(),
        campaign: "test",
        context: Context::Initial,
        mode: Mode::Immediate,
        agent: "gianna",
        media_url: None,
    };
    dialer_queue::queue(&mut c, ground.tenant, &queuing, &calls).await.expect("queued");
}

#[tokio::test]
async fn calls_are_placed_once_where_the_tenant_says_what_to_say() {
    const PLACED: &str = "select count(*) from dialer_queue where provider_call_id is not null";
    const SKIPPED: &str = "select count(*) from dialer_queue where status = 'skipped'";
    let ground = ground().await;
    ground.number(ground.tenant, "+12125550101", "twilio").await;
    queue_calls(&ground, 3).await;
    ground.suppress(&to(3)).await;
    let sending = ground.start();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(ground.carriers.taken().is_empty(), "people dial themselves");
    ground.carriers.fault_next(CarrierFault::Lost, 1);
    ground.settings(ground.tenant, |s| s.voice_url = Some("https://voice.example/hello".into())).await;
    ground.until(PLACED, 2).await;
    // All three were queued at the same moment: the suppressed one may come last.
    ground.until(SKIPPED, 1).await;
    sending.stop().await;
    let taken = ground.carriers.taken();
    assert_eq!(taken.len(), 2);
    assert!(taken.iter().all(|taken| taken.channel == "call" && taken.body == "https://voice.example/hello"));
    assert_eq!((ground.count(PLACED).await, ground.count(SKIPPED).await), (2, 1));
}
