//! Retargets: leads without an answer get a draft of one more attempt, once; no others do.

use luci_messaging::rules::channel;

use super::fixture::{Fixture, at_noon, fixture, to};

const DUE: &str = "select count(*) from attempt_logs where retarget_at is not null";
const DRAFTS: &str = "select count(*) from sms_queue where status = 'draft'";

/// Messages that were sent, as attempts `1..=attempts` of their campaign, the last of them due now.
async fn sent(fixture: &Fixture, leads: u64) {
    fixture.queue(fixture.tenant, "import_a", leads).await;
    run(fixture, "update sms_queue set status = 'sent', sent_at = now()").await;
    run(
        fixture,
        "insert into attempt_logs (tenant_id, id, lead_id, run_id, block_id, campaign_id, queue_id, channel, status,
                                   attempt_number, sent_at, created_at, retarget_at)
         select tenant_id, 'att_' || number || lead_id, lead_id, run_id, block_id, campaign_id, id, 'sms', 'sent',
                number, now() - make_interval(hours => 49 * (4 - number)),
                now() - make_interval(hours => 49 * (4 - number)), case when number = 3 then now() end
           from sms_queue, generate_series(1, 3) as number",
    )
    .await;
}

async fn run(fixture: &Fixture, sql: &'static str) {
    sqlx::query(sql).execute(&fixture.pool).await.expect("done");
}

async fn pass(fixture: &Fixture) {
    let (one, two) = (fixture.start(), fixture.start());
    fixture.until(DUE, 0).await;
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn a_lead_without_an_answer_gets_one_more_draft() {
    let fixture = fixture().await;
    sent(&fixture, 40).await;
    pass(&fixture).await;
    let right = "select count(*) from sms_queue q join attempt_logs a on a.queue_id = q.id
                  where q.status = 'draft' and q.context = 'retarget' and q.attempt_number = 4
                    and q.template_id = 'ghost_day_3' and a.attempt_number = 4 and a.context = 'retarget'
                    and a.approval_required and a.status = 'queued' and a.previous_attempts = 3";
    assert_eq!((fixture.count(right).await, fixture.count(DRAFTS).await), (40, 40));
    // While the draft waits for approval, nothing more is due for the lead.
    run(&fixture, "update attempt_logs set retarget_at = now() where attempt_number = 3").await;
    run(&fixture, "update attempt_logs set created_at = now() - interval '60 hours' where attempt_number = 4").await;
    pass(&fixture).await;
    assert_eq!(fixture.count(DRAFTS).await, 40);
    let sending = fixture.start_one_a_turn();
    fixture.full_pass().await;
    sending.stop().await;
    assert!(fixture.taken().is_empty(), "nothing is sent before a person approves it");
}

#[tokio::test]
async fn a_message_that_a_run_queued_is_not_queued_again() {
    let fixture = fixture().await;
    sent(&fixture, 1).await;
    let key = channel::send_key(fixture.tenant, channel::Channel::Sms, &to(1), "test", 4);
    sqlx::query(
        "insert into sms_queue (tenant_id, id, send_key, lead_id, campaign_id, run_id, block_id, to_number, body, status)
         select tenant_id, 'msg_of_a_run', $1, lead_id, campaign_id, run_id, 'block_other', to_number, body, 'rejected'
           from sms_queue",
    )
    .bind(&key[..])
    .execute(&fixture.pool)
    .await
    .expect("queued");
    pass(&fixture).await;
    assert_eq!(fixture.count("select count(*) from sms_queue").await, 2);
    assert_eq!(fixture.count("select count(*) from attempt_logs").await, 3);
}

#[tokio::test]
async fn leads_that_do_not_qualify_get_no_draft() {
    let fixture = fixture().await;
    sent(&fixture, 7).await;
    fixture.suppress(&to(1)).await;
    for sql in [
        "update leads set status = 'dnc' where row_number = 2",
        "update attempt_logs set contact_made = true where attempt_number = 1
            and lead_id = (select id from leads where row_number = 3)",
        "delete from attempt_logs where attempt_number = 1 and lead_id = (select id from leads where row_number = 4)",
        "insert into attempt_logs (tenant_id, id, lead_id, run_id, block_id, campaign_id, queue_id, channel, status,
                                   attempt_number, context, sent_at, created_at)
         select tenant_id, id || number, lead_id, run_id, block_id, campaign_id, queue_id, channel, status,
                number, 'retarget', sent_at, created_at
           from attempt_logs, generate_series(4, 8) as number
          where attempt_number = 3 and lead_id = (select id from leads where row_number = 5)",
        "update attempt_logs set sent_at = now() - interval '47 hours' where attempt_number = 3
            and lead_id = (select id from leads where row_number = 6)",
        "update attempt_logs set status = 'bounced' where attempt_number = 3
            and lead_id = (select id from leads where row_number = 7)",
    ] {
        run(&fixture, sql).await;
    }
    pass(&fixture).await;
    assert_eq!(fixture.count(DRAFTS).await, 0);
}

#[tokio::test]
async fn the_rules_that_the_run_pinned_say_when_and_how_often() {
    const SENT: &str = "select count(*) from attempt_logs where status = 'sent'";
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 1).await;
    run(
        &fixture,
        "insert into attempt_logs (tenant_id, id, lead_id, run_id, block_id, campaign_id, queue_id, channel,
                                   retarget_threshold, retarget_max, retarget_hours)
         select tenant_id, 'att_' || split_part(id, '_', 2), lead_id, run_id, block_id, campaign_id, id, 'sms', 1, 2, 24
           from sms_queue",
    )
    .await;
    for attempt in 1..=3 {
        let sending = fixture.start();
        fixture.until(SENT, attempt).await;
        sending.stop().await;
        let tomorrow = "select count(*) from attempt_logs where retarget_at - sent_at = interval '24 hours'";
        assert_eq!(fixture.count(tomorrow).await, 1, "after attempt {attempt}");
        run(
            &fixture,
            "update attempt_logs set sent_at = sent_at - interval '24 hours', created_at = created_at - interval '24 hours',
                    retarget_at = retarget_at - interval '24 hours'",
        )
        .await;
        pass(&fixture).await;
        assert_eq!(fixture.count(DRAFTS).await, i64::from(attempt < 3), "twice at most");
        // A retarget looks its recipient's zones up: here it is always noon.
        at_noon(&fixture.pool).await;
        run(&fixture, "update sms_queue set status = 'approved' where status = 'draft'").await;
    }
    let handed_on = "select count(*) from attempt_logs where context = 'retarget' and attempt_number in (2, 3)
                      and (retarget_threshold, retarget_max, retarget_hours) = (1, 2, 24)";
    assert_eq!(fixture.count(handed_on).await, 2);
}
