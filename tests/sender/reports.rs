//! Delivery reports: each finds its attempt among many without reading the others.

use luci_engine::book::{
    attempts::{self, Report},
    sends::{self, Queue},
};

use super::ground::ground;

#[tokio::test]
async fn a_report_reads_its_own_attempt_and_no_others() {
    let ground = ground().await;
    ground.queue(ground.tenant, "import_a", 400).await;
    for sql in [
        "update sms_queue set status = 'sent', provider_message_id = 'SM' || to_number",
        "insert into attempt_logs (tenant_id, id, lead_id, run_id, block_id, campaign_id, queue_id, channel, status,
                                   provider_message_id)
         select tenant_id, 'att_' || split_part(id, '_', 2), lead_id, run_id, block_id, campaign_id, id, 'sms', 'sent',
                provider_message_id
           from sms_queue",
    ] {
        sqlx::query(sql).execute(&ground.pool).await.expect("sent");
    }
    let provider_id = format!("SM{}", super::ground::to(7));
    let mut tx = ground.engine.begin().await.expect("a transaction");
    let id =
        sends::known_as(&mut tx, ground.tenant, Queue::Messages, &provider_id).await.expect("asked").expect("known");
    attempts::reported(&mut tx, ground.tenant, &id, Report::Delivered, "delivered", None).await.expect("noted");
    let read: i64 = sqlx::query_scalar(
        "select sum(seq_tup_read + idx_tup_fetch)::bigint from pg_stat_xact_user_tables
          where relname in ('sms_queue', 'attempt_logs')",
    )
    .fetch_one(&mut *tx)
    .await
    .expect("counted");
    assert!(read <= 4, "{read} rows were read for one report among 400");
    tx.commit().await.expect("committed");
    assert_eq!(ground.count("select count(*) from attempt_logs where status = 'delivered'").await, 1);
}
