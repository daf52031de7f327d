//! Calls: placed once each, for tenants with a `voice_url`.

use luci_leads::{Lead, lead_id, store::leads};
use luci_messaging::{
    rules::{channel, context::CampaignContext},
    store::{
        dialer_queue::{self, NewCall},
        send_batch::{ApprovalMode, SendBatch},
    },
};
use luci_sandbox::CarrierFault;
use luci_schema::{BlockId, CallId, RunId};

use super::fixture::{Fixture, fixture, noon, to};

async fn queue_calls(fixture: &Fixture, count: u64) {
    let mut c = fixture.engine.acquire().await.expect("a connection");
    let found: Vec<Lead> = (1..=count).map(|row| Lead::bare(lead_id("import_calls", row), row, row)).collect();
    leads::save(&mut c, fixture.tenant, "import_calls", &found.iter().collect::<Vec<_>>()).await.expect("saved");
    let call = |lead: &Lead| NewCall {
        id: CallId::generate(),
        send_key: channel::send_key(fixture.tenant, channel::Channel::Call, &to(lead.row), "test", 1),
        lead_id: lead.lead_id,
        phone: to(lead.row),
        extension: (lead.row == 1).then(|| "12".to_owned()),
        contact_name: None,
        company_name: None,
        priority: 5,
        attempt_number: 1,
        time_zones: vec![noon()],
    };
    let calls: Vec<NewCall> = found.iter().map(call).collect();
    let queuing = SendBatch {
        run: RunId::generate(),
        block: BlockId::generate(),
        campaign: "test",
        context: CampaignContext::Initial,
        mode: ApprovalMode::Immediate,
        agent: "gianna",
        media_url: None,
    };
    dialer_queue::queue(&mut c, fixture.tenant, &queuing, &calls).await.expect("queued");
}

#[tokio::test]
async fn calls_are_placed_once_where_the_tenant_says_what_to_say() {
    const PLACED: &str = "select count(*) from dialer_queue where provider_call_id is not null";
    const SKIPPED: &str = "select count(*) from dialer_queue where status = 'skipped'";
    const WAITING: &str = "select count(*) from dialer_queue where status = 'pending'";
    let fixture = fixture().await;
    fixture.number(fixture.tenant, "+12125550101", "twilio").await;
    queue_calls(&fixture, 3).await;
    fixture.suppress(&to(3)).await;
    let sending = fixture.start_one_a_turn();
    fixture.full_pass().await;
    assert!(fixture.taken().is_empty(), "people dial themselves");
    assert_eq!(fixture.count(WAITING).await, 3);
    fixture.carriers.fault_next(CarrierFault::Lost, 1);
    fixture.settings(fixture.tenant, |s| s.voice_url = Some("https://voice.example/hello".into())).await;
    fixture.until(PLACED, 2).await;
    // All three were queued at the same moment: the suppressed one may come last.
    fixture.until(SKIPPED, 1).await;
    sending.stop().await;
    let taken = fixture.taken();
    assert_eq!(taken.len(), 2);
    assert!(taken.iter().all(|taken| taken.channel == "call" && taken.body == "https://voice.example/hello"));
    let digits = |row| taken.iter().find(|one| one.to == to(row)).expect("called").send_digits.clone();
    assert_eq!((digits(1).as_deref(), digits(2)), (Some("wwww12"), None), "the extension is dialled");
    assert_eq!((fixture.count(PLACED).await, fixture.count(SKIPPED).await), (2, 1));
}
