//! The clock's cleanup of old rows.

use luci_schema::{
    Actor, CommandId, CorrelationId, TenantId, Version,
    event::TenantUpdated,
    log::{Append, NewReceipt},
};

use super::process::{Caller, Process, Role};
use crate::support::{self, eventually};

#[tokio::test]
async fn receipts_are_kept_for_thirty_days() {
    let (database, nats) = (support::database().await, support::nats().await);
    let caller = Caller::new(&database).await;
    let tenant = TenantId::generate();
    let command = |key: &str| CommandId::derive(&["test", key]);
    for (version, key) in [(0, "aged"), (1, "young")] {
        let event = luci_schema::ConfigEvent::TenantUpdated(TenantUpdated { active_runs: 4 }).into();
        let append = Append {
            tenant,
            stream: tenant.into(),
            expected: Version(version),
            events: vec![event],
            actor: Actor::System,
            command: command(key),
            correlation: CorrelationId::generate(),
            causation: None,
            receipt: Some(NewReceipt { body_digest: [0; 32], outcome: serde_json::json!({}) }),
        };
        caller.log.append(append).await.expect("appended");
    }
    let pool = database.pool().await;
    for (key, days) in [("aged", 31.0), ("young", 29.0)] {
        sqlx::query(
            "update log.receipts set recorded_at = now() - make_interval(secs => $2 * 86400) where command_id = $1",
        )
        .bind(command(key).to_string())
        .bind(days)
        .execute(&pool)
        .await
        .expect("aged");
    }
    let clock = Process::start("clock", &database, &nats, &[Role::Clock]);
    let left = async || -> Vec<String> {
        sqlx::query_scalar("select command_id from log.receipts").fetch_all(&pool).await.expect("receipts")
    };
    eventually("the aged receipt is forgotten", async || left().await == [command("young").to_string()]).await;
    clock.end().await;
}
