//! Delivery reports: each finds its attempt by an index.

use luci_messaging::{
    rules::{channel::Channel, delivery_status::DeliveryStatus},
    store::{attempts, sends},
};

use super::fixture::fixture;

#[tokio::test]
async fn a_report_reads_its_own_attempt_and_no_others() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 400).await;
    for sql in [
        "update sms_queue set status = 'sent', provider_message_id = 'SM' || to_number",
        "insert into attempt_logs (tenant_id, id, lead_id, run_id, block_id, campaign_id, queue_id, channel, status,
                                   provider_message_id)
         select tenant_id, 'att_' || split_part(id, '_', 2), lead_id, run_id, block_id, campaign_id, id, 'sms', 'sent',
                provider_message_id
           from sms_queue",
    ] {
        sqlx::query(sql).execute(&fixture.pool).await.expect("sent");
    }
    let provider_id = format!("SM{}", super::fixture::to(7));
    let mut tx = fixture.engine.begin().await.expect("a transaction");
    let id = sends::by_provider_id(&mut tx, fixture.tenant, Channel::Sms, &provider_id)
        .await
        .expect("answered")
        .expect("known");
    attempts::reported(&mut tx, fixture.tenant, id, DeliveryStatus::Delivered, "delivered", None).await.expect("noted");
    let read: i64 = sqlx::query_scalar(
        "select sum(seq_tup_read + idx_tup_fetch)::bigint from pg_stat_xact_user_tables
          where relname in ('sms_queue', 'attempt_logs')",
    )
    .fetch_one(&mut *tx)
    .await
    .expect("counted");
    assert!(read <= 4, "{read} rows were read for one report among 400");
    tx.commit().await.expect("committed");
    assert_eq!(fixture.count("select count(*) from attempt_logs where status = 'delivered'").await, 1);
}
