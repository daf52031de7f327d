//! A carrier's codes: about the recipient, about the sender, about the carrier; and reports that come before its answer.

use luci_sandbox::CarrierFault;

use super::fixture::{NUMBER, fixture, to};

const SENT: &str = "select count(*) from sms_queue where status = 'sent' and from_number not like '+1646555%'";
const FAILURES: &str = "select coalesce(sum(failures), 0)::bigint from sender_numbers";

#[tokio::test]
async fn a_code_about_the_recipient_suppresses_it_and_never_counts_against_the_sender() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 6).await;
    for code in [21610, 21211, 21614, 30003, 30005, 30006] {
        fixture.carriers.fault_next(CarrierFault::Coded(code), 1);
    }
    let sending = fixture.start();
    fixture.until("select count(*) from sms_queue where status = 'failed' and error_code ~ '^[23]'", 6).await;
    sending.stop().await;
    assert_eq!(fixture.count(FAILURES).await, 0);
    assert_eq!(fixture.count("select count(*) from sender_numbers where disabled_at is not null").await, 0);
    let by_carrier = "select count(*) from suppressions where origin = 'carrier' and rule like 'carrier:%'";
    assert_eq!(fixture.count(by_carrier).await, 6);
    let opted_out = "select count(*) from suppressions s join sms_queue q on q.to_number = s.value
                      where s.reason = 'OPT_OUT' and s.rule = 'carrier:21610' and q.error_code = '21610'";
    assert_eq!(fixture.count(opted_out).await, 1);
    assert_eq!(fixture.count("select count(*) from suppressions where expires_at is not null").await, 1, "30003 only");
    assert_eq!(fixture.count("select count(*) from leads where status = 'dnc'").await, 1);
    let recorded = "select count(*) from log.events where event_type = 'suppression:added'
                    and data::text like '%carrier:%' and data::text not like '%+1917%'";
    assert_eq!(fixture.count(recorded).await, 6);
}

#[tokio::test]
async fn a_code_about_the_sender_pauses_the_number_and_the_message_goes_from_another() {
    let fixture = fixture().await;
    fixture.number(fixture.tenant, "+12125550109", "signalhouse").await;
    fixture.queue(fixture.tenant, "import_a", 1).await;
    fixture.carriers.fault_next(CarrierFault::Coded(30034), 1);
    let sending = fixture.start();
    fixture.until(SENT, 1).await;
    sending.stop().await;
    let paused = "select count(*) from sender_numbers where paused_code = '30034' and disabled_at is not null";
    assert_eq!(fixture.count(paused).await, 1);
    assert_eq!(fixture.count("select attempts::bigint from sms_queue").await, 1, "the refusal used up no attempt");
    let event = "select count(*) from log.events where event_type = 'number:paused' and data::text like '%30034%'";
    assert_eq!(fixture.count(event).await, 1);
    assert_eq!(fixture.count("select count(*) from suppressions").await, 0);
    // Adding the number again ends the pause.
    fixture.number(fixture.tenant, NUMBER, "signalhouse").await;
    fixture.number(fixture.tenant, "+12125550109", "signalhouse").await;
    assert_eq!(fixture.count("select count(*) from sender_numbers where disabled_at is not null").await, 0);
}

#[tokio::test]
async fn an_outage_of_the_carrier_is_retried() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 1).await;
    fixture.carriers.fault_next(CarrierFault::Coded(20503), 4);
    let sending = fixture.start();
    fixture.until(SENT, 1).await;
    sending.stop().await;
    assert_eq!((fixture.count(FAILURES).await, fixture.count("select attempts::bigint from sms_queue").await), (0, 1));
}

#[tokio::test]
async fn a_report_that_came_before_the_answer_is_applied_with_it() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 1).await;
    for sql in [
        "insert into attempt_logs (tenant_id, id, lead_id, run_id, block_id, campaign_id, queue_id, channel)
         select tenant_id, 'att_' || split_part(id, '_', 2), lead_id, run_id, block_id, campaign_id, id, 'sms'
           from sms_queue",
        // The first id that the carrier gives.
        "insert into early_reports (tenant_id, channel, provider_id, provider_status, status, error)
         select tenant_id, 'sms', 'SH00000001', 'undelivered', 'bounced', '30006' from sms_queue",
    ] {
        sqlx::query(sql).execute(&fixture.pool).await.expect("reported");
    }
    let sending = fixture.start();
    fixture.until("select count(*) from attempt_logs where status = 'bounced' and error_code = '30006'", 1).await;
    sending.stop().await;
    assert_eq!(fixture.count("select count(*) from early_reports").await, 0);
    let suppressed: String = sqlx::query_scalar("select value from suppressions where reason = 'INVALID_PHONE'")
        .fetch_one(&fixture.pool)
        .await
        .expect("one");
    assert_eq!(suppressed, to(1));
}
