//! Numbers of other countries stay on the lead, and are contacted only where the tenant allows it.

use luci_schema::Stage;

use super::fixture::fixture;

const CSV: &str = "Company,First Name,Mobile\nSing,Ann,+65 8234 5678\nHome,Bob,212-555-0147\nJam,Cy,876-555-0100\n";

#[tokio::test]
async fn a_foreign_number_is_kept_and_contacted_only_where_allowed() {
    let fixture = fixture().await;
    let run = fixture.import(CSV).await;
    let done = run.through(Stage::Push).await;
    let pushed = &done[&Stage::Push];
    assert_eq!((pushed.counts().success, pushed.counts().skipped), (1, 2));
    assert_eq!(pushed.reasons()["country_not_allowed"], 2);
    let kept: Vec<String> = sqlx::query_scalar("select data->'phones'->0->>'number' from leads order by 1")
        .fetch_all(&fixture.pool)
        .await
        .expect("leads");
    assert_eq!(kept, ["+12125550147", "+18765550100", "+6582345678"]);

    // The tenant is in no table of this fixture.
    let mut tx = fixture.pool.begin().await.expect("a transaction");
    sqlx::query("set local session_replication_role = replica").execute(&mut *tx).await.expect("set");
    sqlx::query("insert into send_countries (tenant_id, countries) values ($1, '{US,SG}')")
        .bind(fixture.tenant)
        .execute(&mut *tx)
        .await
        .expect("inserted");
    tx.commit().await.expect("committed");
    let done = fixture.import(CSV).await.through(Stage::Push).await;
    assert_eq!(done[&Stage::Push].reasons()["country_not_allowed"], 1, "Jamaica is not allowed");
    let to = "select count(*) from sms_queue where to_number = '+6582345678'";
    assert_eq!(fixture.count(to).await, 1);
}
