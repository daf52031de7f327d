//! A send belongs to a number: its frequency, its zones, its hold; and the rows of before the upgrade.

use luci_messaging::rules::channel::{Channel, send_key};
use luci_schema::WebhookId;

use super::fixture::{fixture, to};

const SENT: &str = "select count(*) from sms_queue where status = 'sent' and from_number not like '+1646555%'";
const WAITING: &str = "select count(*) from sms_queue where status = 'pending' and to_number like '+1917555%'";

#[tokio::test]
async fn a_number_gets_one_text_of_a_campaign_and_one_first_contact_a_day() {
    let fixture = fixture().await;
    fixture.queue_one("import_a", 1, "spring").await;
    fixture.queue_one("import_b", 1, "spring").await;
    assert_eq!(fixture.count("select count(*) from sms_queue").await, 1, "another lead with the same number");
    fixture.queue_one("import_c", 1, "summer").await;
    let sending = fixture.start();
    fixture.until(SENT, 1).await;
    fixture.until("select count(*) from sms_queue where status = 'cancelled' and error_code = 'frequency'", 1).await;
    sending.stop().await;
    assert_eq!(fixture.taken().len(), 1);
}

#[tokio::test]
async fn the_tenant_s_numbers_of_messages_a_week_and_a_month_hold() {
    let fixture = fixture().await;
    for campaign in ["a", "b", "c", "d"] {
        fixture.queue_one(&format!("import_{campaign}"), 1, campaign).await;
    }
    // Three went out on the days before.
    let past = "update sms_queue set status = 'sent', sent_at = now() - interval '2 days' where campaign_id <> 'd'";
    sqlx::query(past).execute(&fixture.pool).await.expect("sent");
    let sending = fixture.start();
    fixture.until("select count(*) from sms_queue where error_code = 'frequency'", 1).await;
    fixture.settings(fixture.tenant, |settings| settings.weekly_per_number = 4).await;
    fixture.queue_one("import_e", 1, "e").await;
    fixture.until("select count(*) from sms_queue where status = 'sent' and campaign_id = 'e'", 1).await;
    sending.stop().await;
}

#[tokio::test]
async fn nothing_goes_to_a_number_on_hold_until_it_is_released() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 2).await;
    sqlx::query(
        "insert into number_holds (tenant_id, webhook_id, number, body, rule) values ($1, $2, $3, 'hm', 'may_be')",
    )
    .bind(fixture.tenant)
    .bind(WebhookId::generate())
    .bind(to(1))
    .execute(&fixture.pool)
    .await
    .expect("held");
    let sending = fixture.start_one_a_turn();
    fixture.until(SENT, 1).await;
    fixture.full_pass().await;
    assert_eq!((fixture.taken().len(), fixture.count(WAITING).await), (1, 1));
    sqlx::query("update number_holds set decision = 'released'").execute(&fixture.pool).await.expect("released");
    fixture.until(SENT, 2).await;
    sending.stop().await;
}

#[tokio::test]
async fn the_zones_of_messages_from_before_are_looked_up() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 1).await;
    sqlx::query("update sms_queue set time_zones = null").execute(&fixture.pool).await.expect("as before");
    let sending = fixture.start();
    fixture.until("select count(*) from sms_queue where time_zones = '{America/New_York}'", 1).await;
    sending.stop().await;
}

#[tokio::test]
async fn the_upgrade_gives_the_new_key_to_one_row_of_a_number_and_cancels_the_other() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 1).await;
    fixture.queue_one("import_b", 2, "test").await;
    // As the release before left it: two leads with one number, each under a key of its own.
    let before = "update sms_queue set to_number = $1, send_key = sha256(id::bytea)";
    sqlx::query(before).bind(to(1)).execute(&fixture.pool).await.expect("as before");
    let migration = include_str!("../../schema/migrations/0545_send_by_number.sql");
    let mut tx = fixture.pool.begin().await.expect("a transaction");
    sqlx::raw_sql(migration).execute(&mut *tx).await.expect("migrated");
    tx.commit().await.expect("committed");
    let key: Vec<u8> = sqlx::query_scalar("select send_key from sms_queue where status = 'pending'")
        .fetch_one(&fixture.pool)
        .await
        .expect("one");
    assert_eq!(key, send_key(fixture.tenant, Channel::Sms, &to(1), "test", 1));
    let cancelled = "select count(*) from sms_queue where status = 'cancelled' and error_code = 'already_queued'";
    assert_eq!(fixture.count(cancelled).await, 1);
}

#[tokio::test]
async fn a_row_under_an_old_key_is_not_sent_after_another_lead_s() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 1).await;
    let sending = fixture.start();
    fixture.until(SENT, 1).await;
    sending.stop().await;
    // Queued by a process of the release before, while the new one was starting.
    fixture.queue_one("import_b", 2, "test").await;
    let before = "update sms_queue set to_number = $1 where to_number = $2";
    sqlx::query(before).bind(to(1)).bind(to(2)).execute(&fixture.pool).await.expect("as before");
    let sending = fixture.start();
    fixture.until("select count(*) from sms_queue where error_code = 'already_queued'", 1).await;
    sending.stop().await;
    assert_eq!(fixture.taken().len(), 1, "the number got it once");
}
