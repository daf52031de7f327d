//! Text messages: each once, none to those who opted out, and what becomes of a refusal and of an answer never heard.

use luci::sandbox::CarrierFault;
use luci_schema::TenantId;

use super::ground::{Ground, NUMBER, ground, to};

const SENT: &str = "select count(*) from sms_queue where status = 'sent'";
const IN_HAND: &str = "select count(*) from sms_queue where status in ('pending', 'processing')";

/// Nobody is in the ledger twice.
fn nobody_twice(ground: &Ground) -> usize {
    let taken = ground.carriers.taken();
    let mut numbers: Vec<_> = taken.iter().map(|taken| (&taken.from, &taken.to, &taken.body)).collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), taken.len(), "somebody was sent the same message twice");
    taken.len()
}

#[tokio::test]
async fn what_is_pending_is_sent_once_by_two_senders() {
    let ground = ground().await;
    ground.queue(ground.tenant, "import_a", 40).await;
    let (one, two) = (ground.start(), ground.start());
    ground.until(SENT, 40).await;
    one.stop().await;
    two.stop().await;
    assert_eq!(nobody_twice(&ground), 40);
    let taken = &ground.carriers.taken()[0];
    assert_eq!((taken.provider, taken.from.as_str()), ("signalhouse", NUMBER));
    let whole = "select count(*) from sms_queue where provider_message_id is not null and sent_at is not null
                 and from_number = '+12125550100' and attempts = 1";
    assert_eq!(ground.count(whole).await, 40);
    assert_eq!(ground.count("select count(*) from leads where status = 'contacted'").await, 40);
}

#[tokio::test]
async fn an_opt_out_between_queueing_and_sending_stops_the_message() {
    let ground = ground().await;
    ground.queue(ground.tenant, "import_a", 3).await;
    ground.suppress(&to(2)).await;
    sqlx::query("update leads set status = 'dnc' where row_number = 3").execute(&ground.pool).await.expect("dnc");
    let sending = ground.start();
    ground.until(IN_HAND, 0).await;
    sending.stop().await;
    let taken = ground.carriers.taken();
    assert_eq!(taken.iter().map(|taken| taken.to.clone()).collect::<Vec<_>>(), [to(1)]);
    let stopped = "select count(*) from sms_queue where status = 'cancelled' and error_code = 'suppressed'";
    assert_eq!(ground.count(stopped).await, 2);
}

#[tokio::test]
async fn drafts_wait_and_approved_messages_go() {
    let ground = ground().await;
    ground.queue(ground.tenant, "import_a", 3).await;
    for sql in [
        "update sms_queue set status = 'draft' where to_number like '%1'",
        "update sms_queue set status = 'approved' where to_number like '%2'",
    ] {
        sqlx::query(sql).execute(&ground.pool).await.expect("updated");
    }
    let sending = ground.start();
    ground.until(SENT, 2).await;
    sending.stop().await;
    assert_eq!(ground.count("select count(*) from sms_queue where status = 'draft'").await, 1);
    assert_eq!(nobody_twice(&ground), 2);
}

#[tokio::test]
async fn a_certain_no_is_tried_again_and_a_refusal_of_the_message_is_not() {
    let ground = ground().await;
    ground.queue(ground.tenant, "import_a", 1).await;
    ground.carriers.fault_next(CarrierFault::Unavailable, 1);
    ground.carriers.fault_next(CarrierFault::RateLimited(1), 1);
    ground.carriers.fault_next(CarrierFault::Unauthorised, 1);
    let sending = ground.start();
    ground.until(SENT, 1).await;
    // Only the 503 used up an attempt: the others were not the message's fault.
    assert_eq!(ground.count("select attempts::bigint from sms_queue").await, 2);
    ground.queue(ground.tenant, "import_b", 1).await;
    ground.carriers.fault_next(CarrierFault::Refused, 1);
    ground.until("select count(*) from sms_queue where status = 'failed' and error_code = 'VALIDATION'", 1).await;
    ground.queue(ground.tenant, "import_c", 1).await;
    ground.carriers.fault_next(CarrierFault::Unavailable, 3);
    ground.until("select count(*) from sms_queue where status = 'failed' and error_code = 'API_ERROR'", 1).await;
    sending.stop().await;
    assert_eq!(ground.count("select attempts::bigint from sms_queue where error_code = 'API_ERROR'").await, 3);
    assert_eq!(nobody_twice(&ground), 1);
}

#[tokio::test]
async fn an_answer_never_heard_is_asked_for_and_the_message_not_sent_again() {
    let ground = ground().await;
    ground.queue(ground.tenant, "import_a", 2).await;
    ground.carriers.fault_next(CarrierFault::Lost, 1);
    ground.carriers.fault_next(CarrierFault::Silent, 1);
    let sending = ground.start();
    ground.until(SENT, 2).await;
    sending.stop().await;
    assert_eq!(nobody_twice(&ground), 2);
    let ids: Vec<String> = sqlx::query_scalar("select provider_message_id from sms_queue order by to_number")
        .fetch_all(&ground.pool)
        .await
        .expect("ids");
    let mut taken = ground.carriers.taken();
    taken.sort_by(|a, b| a.to.cmp(&b.to));
    assert_eq!(ids, taken.iter().map(|taken| taken.id.clone()).collect::<Vec<_>>(), "the ids are the provider's");
}

#[tokio::test]
async fn a_message_in_hand_at_a_crash_that_the_provider_does_not_know_waits_for_a_person() {
    let ground = ground().await;
    let ids = ground.queue(ground.tenant, "import_a", 1).await;
    sqlx::query(
        "update sms_queue set status = 'processing', claim = 1, attempts = 1, provider = 'signalhouse',
                from_number = '+12125550100', claimed_at = now() - interval '1 hour'",
    )
    .execute(&ground.pool)
    .await
    .expect("as a dead sender left it");
    let sending = ground.start();
    ground.until("select count(*) from sms_queue where status = 'failed' and error_code = 'unknown_outcome'", 1).await;
    sending.stop().await;
    assert!(ground.carriers.taken().is_empty(), "{} was sent blindly", ids[0]);
}

#[tokio::test]
async fn a_tenant_with_a_long_queue_does_not_keep_another_waiting() {
    let ground = ground().await;
    let other = luci_engine::admin::tenants::found(&ground.log, "Other", "other").await.expect("a tenant").tenant;
    ground.open_window(other).await;
    ground.number(other, "+12125550199", "signalhouse").await;
    ground.queue(ground.tenant, "import_a", 300).await;
    ground.queue(other, "import_b", 5).await;
    let sending = ground.start();
    let of_other = "select count(*) from sms_queue where status = 'sent' and from_number = '+12125550199'";
    ground.until(of_other, 5).await;
    let first_five = ground.carriers.taken().iter().position(|taken| taken.from == "+12125550199");
    assert!(first_five.is_some_and(|at| at < 100), "the other tenant's first message was number {first_five:?}");
    sending.stop().await;
    nobody_twice(&ground);
    tenants_keep_to_their_numbers(&ground, other).await;
}

async fn tenants_keep_to_their_numbers(ground: &Ground, other: TenantId) {
    let strange: i64 = sqlx::query_scalar(
        "select count(*) from sms_queue where (tenant_id = $1) <> (from_number = '+12125550199') and status = 'sent'",
    )
    .bind(other)
    .fetch_one(&ground.pool)
    .await
    .expect("a count");
    assert_eq!(strange, 0);
}
