//! Text messages: each sent once, none after an opt-out; refusals and lost answers.

use luci_sandbox::CarrierFault;
use luci_schema::TenantId;

use super::fixture::{Fixture, NUMBER, fixture, quick, to};

const SENT: &str = "select count(*) from sms_queue where status = 'sent'";
const IN_HAND: &str = "select count(*) from sms_queue where status in ('pending', 'processing')";

/// The number of messages in the ledger, none of them twice.
fn nobody_twice(fixture: &Fixture) -> usize {
    let taken = fixture.carriers.taken();
    let mut numbers: Vec<_> = taken.iter().map(|taken| (&taken.from, &taken.to, &taken.body)).collect();
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), taken.len(), "somebody was sent the same message twice");
    taken.len()
}

#[tokio::test]
async fn two_senders_send_each_pending_message_once() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 40).await;
    let (one, two) = (fixture.start(), fixture.start());
    fixture.until(SENT, 40).await;
    one.stop().await;
    two.stop().await;
    assert_eq!(nobody_twice(&fixture), 40);
    let taken = &fixture.carriers.taken()[0];
    assert_eq!((taken.provider, taken.from.as_str()), ("signalhouse", NUMBER));
    let whole = "select count(*) from sms_queue where provider_message_id is not null and sent_at is not null
                 and from_number = '+12125550100' and attempts = 1";
    assert_eq!(fixture.count(whole).await, 40);
    assert_eq!(fixture.count("select count(*) from leads where status = 'contacted'").await, 40);
}

#[tokio::test]
async fn an_opt_out_between_queueing_and_sending_stops_the_message() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 3).await;
    fixture.suppress(&to(2)).await;
    sqlx::query("update leads set status = 'dnc' where row_number = 3").execute(&fixture.pool).await.expect("dnc");
    let sending = fixture.start();
    fixture.until(IN_HAND, 0).await;
    sending.stop().await;
    let taken = fixture.carriers.taken();
    assert_eq!(taken.iter().map(|taken| taken.to.clone()).collect::<Vec<_>>(), [to(1)]);
    let stopped = "select count(*) from sms_queue where status = 'cancelled' and error_code = 'suppressed'";
    assert_eq!(fixture.count(stopped).await, 2);
}

#[tokio::test]
async fn drafts_wait_and_approved_messages_go() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 3).await;
    for sql in [
        "update sms_queue set status = 'draft' where to_number like '%1'",
        "update sms_queue set status = 'approved' where to_number like '%2'",
    ] {
        sqlx::query(sql).execute(&fixture.pool).await.expect("updated");
    }
    let sending = fixture.start_one_a_turn();
    fixture.until(SENT, 2).await;
    fixture.full_pass().await;
    sending.stop().await;
    assert_eq!(fixture.count("select count(*) from sms_queue where status = 'draft'").await, 1);
    assert_eq!((nobody_twice(&fixture), fixture.taken().len()), (2 + 3, 2));
}

#[tokio::test]
async fn refusals_are_retried_unless_they_are_about_the_message() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 1).await;
    fixture.carriers.fault_next(CarrierFault::Unavailable, 1);
    fixture.carriers.fault_next(CarrierFault::RateLimited(1), 1);
    fixture.carriers.fault_next(CarrierFault::Unauthorised, 1);
    let sending = fixture.start();
    fixture.until(SENT, 1).await;
    // Only the 503 used up an attempt: the others were not the message's fault.
    assert_eq!(fixture.count("select attempts::bigint from sms_queue").await, 2);
    fixture.queue_one("import_b", 2, "test").await;
    fixture.carriers.fault_next(CarrierFault::Refused, 1);
    fixture.until("select count(*) from sms_queue where status = 'failed' and error_code = 'VALIDATION'", 1).await;
    fixture.queue_one("import_c", 3, "test").await;
    fixture.carriers.fault_next(CarrierFault::Unavailable, 3);
    fixture.until("select count(*) from sms_queue where status = 'failed' and error_code = 'API_ERROR'", 1).await;
    sending.stop().await;
    assert_eq!(fixture.count("select attempts::bigint from sms_queue where error_code = 'API_ERROR'").await, 3);
    assert_eq!(nobody_twice(&fixture), 1);
}

#[tokio::test]
async fn after_a_lost_answer_the_provider_is_asked_and_nothing_is_sent_again() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 2).await;
    fixture.carriers.fault_next(CarrierFault::Lost, 1);
    fixture.carriers.fault_next(CarrierFault::Silent, 1);
    let sending = fixture.start();
    fixture.until(SENT, 2).await;
    sending.stop().await;
    assert_eq!(nobody_twice(&fixture), 2);
    let ids: Vec<String> = sqlx::query_scalar("select provider_message_id from sms_queue order by to_number")
        .fetch_all(&fixture.pool)
        .await
        .expect("ids");
    let mut taken = fixture.carriers.taken();
    taken.sort_by(|a, b| a.to.cmp(&b.to));
    assert_eq!(ids, taken.iter().map(|taken| taken.id.clone()).collect::<Vec<_>>(), "the ids are the provider's");
}

#[tokio::test]
async fn a_message_claimed_before_a_crash_and_unknown_to_the_provider_waits_for_a_person() {
    let fixture = fixture().await;
    let ids = fixture.queue(fixture.tenant, "import_a", 1).await;
    sqlx::query(
        "update sms_queue set status = 'processing', claim = 1, attempts = 1, provider = 'signalhouse',
                from_number = '+12125550100', claimed_at = now() - interval '1 hour'",
    )
    .execute(&fixture.pool)
    .await
    .expect("as a dead sender left it");
    let sending = fixture.start();
    fixture.until("select count(*) from sms_queue where status = 'failed' and error_code = 'unknown_outcome'", 1).await;
    sending.stop().await;
    assert!(fixture.carriers.taken().is_empty(), "{} was sent blindly", ids[0]);
}

#[tokio::test]
async fn a_tenant_with_a_long_queue_does_not_keep_another_waiting() {
    let fixture = fixture().await;
    let other =
        luci_config::tenants::create(&fixture.log, "Other", "other", luci_leads::commands::sectors::seed_new_tenant)
            .await
            .expect("a tenant")
            .tenant;
    fixture.open_window(other).await;
    fixture.number(other, "+12125550199", "signalhouse").await;
    fixture.queue(fixture.tenant, "import_a", 300).await;
    fixture.queue(other, "import_b", 5).await;
    let sending = fixture.start();
    let of_other = "select count(*) from sms_queue where status = 'sent' and from_number = '+12125550199'";
    fixture.until(of_other, 5).await;
    let first_five = fixture.carriers.taken().iter().position(|taken| taken.from == "+12125550199");
    assert!(first_five.is_some_and(|at| at < 100), "the other tenant's first message was number {first_five:?}");
    sending.stop().await;
    nobody_twice(&fixture);
    tenants_keep_to_their_numbers(&fixture, other).await;
}

async fn tenants_keep_to_their_numbers(fixture: &Fixture, other: TenantId) {
    let strange: i64 = sqlx::query_scalar(
        "select count(*) from sms_queue where (tenant_id = $1) <> (from_number = '+12125550199') and status = 'sent'",
    )
    .bind(other)
    .fetch_one(&fixture.pool)
    .await
    .expect("a count");
    assert_eq!(strange, 0);
}

#[tokio::test]
async fn a_claim_that_takes_too_long_is_released_instead_of_sent() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 1).await;
    let mut blocker = fixture.pool.begin().await.expect("a transaction");
    sqlx::query("select from sender_numbers for update").execute(&mut *blocker).await.expect("locked");
    let sending = fixture.start();
    // The sender may use a third of it between the claim and the call.
    tokio::time::sleep(quick().claim_timeout / 2).await;
    blocker.rollback().await.expect("released");
    fixture.until(SENT, 1).await;
    sending.stop().await;
    let second_claim = "select count(*) from sms_queue where claim = 2 and attempts = 1";
    assert_eq!(fixture.count(second_claim).await, 1, "the first claim was released and not counted");
    assert_eq!(nobody_twice(&fixture), 1);
}

#[tokio::test]
async fn a_text_that_waits_in_a_restored_database_and_was_sent_since_is_held() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 3).await;
    let sending = fixture.start();
    fixture.until(SENT, 3).await;
    // As a backup of before the sends has the rows.
    let restored = "update sms_queue set status = 'pending', claim = 0, attempts = 0, provider_message_id = null,
                    claimed_at = null, sent_at = null";
    sqlx::query(restored).execute(&fixture.pool).await.expect("restored");
    fixture.until("select count(*) from sms_queue where status = 'failed' and error_code = 'unknown_outcome'", 3).await;
    sending.stop().await;
    assert_eq!(nobody_twice(&fixture), 3);
}
