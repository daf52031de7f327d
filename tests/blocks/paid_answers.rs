//! Answers that were paid for are not bought again: when a stored one cannot be decoded, and when the database is unavailable.

use luci_schema::{FailureCode, Stage, event::BlockInput};
use sqlx::Acquire as _;

use super::{
    fixture::{Fixture, fixture, outputs},
    providers::people,
};
use crate::support::eventually;

/// Stored answers of a stage.
async fn stored(fixture: &Fixture) -> (i64, i64) {
    sqlx::query_as("select count(*), coalesce(sum(paid_again_micros), 0)::bigint from provider_results")
        .fetch_one(&fixture.pool)
        .await
        .expect("sums")
}

#[tokio::test]
async fn a_stored_answer_that_cannot_be_decoded_fails_the_block_and_nothing_is_bought() {
    let fixture = fixture().await;
    let run = fixture.import(people(20)).await;
    let all = run.through(Stage::SkipTrace).await;
    for (stage, before) in [(Stage::Enrich, Stage::Validate), (Stage::SkipTrace, Stage::Enrich)] {
        let input = || outputs(&all[&before], before).remove(0);
        // One answer is damaged. Others are missing: those leads would have to be looked up.
        let damaged: String = sqlx::query_scalar(
            "update provider_results set outcome = '\"no answer of any shape\"' where stage = $1
                and lead_id = (select min(lead_id) from provider_results where stage = $1) returning lead_id",
        )
        .bind(stage.as_str())
        .fetch_one(&fixture.pool)
        .await
        .expect("damaged");
        let missing = "delete from provider_results where stage = $1 and lead_id in
                        (select lead_id from provider_results where stage = $1 order by lead_id desc limit 10)";
        sqlx::query(missing).bind(stage.as_str()).execute(&fixture.pool).await.expect("deleted");
        let paid = fixture.sandbox.ledger();

        let fault = run.block(&run.queued(stage, input())).await.expect_err("it cannot be decoded");
        assert_eq!((fault.failure.code, fault.failure.retryable), (FailureCode::Internal, false), "{stage}");
        let message = &fault.failure.message;
        let named = message.contains(&damaged) && message.contains("cannot be decoded");
        assert!(named && !message.contains("of any shape"), "{message}");
        assert_eq!(fault.report.cost_micros, 0, "{stage}");
        assert_eq!(fixture.sandbox.ledger(), paid, "{stage}: nothing was asked");

        // As the message says: without the row, the block buys that answer and the missing ones.
        let delete = "delete from provider_results where stage = $1 and lead_id = $2";
        sqlx::query(delete).bind(stage.as_str()).bind(&damaged).execute(&fixture.pool).await.expect("deleted");
        run.block(&run.queued(stage, input())).await.expect("complete");
        assert_eq!(fixture.sandbox.ledger().asked, paid.asked + 11, "{stage}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_stored_and_paid_once_though_the_database_is_away_meanwhile() {
    let fixture = fixture().await;
    let run = fixture.import(people(40)).await;
    let validated = run.through(Stage::Validate).await;
    let input: BlockInput = outputs(&validated[&Stage::Validate], Stage::Validate).remove(0);
    let block = run.queued(Stage::Enrich, input);

    let watcher = fixture.database.pool().await;
    let mut connection = fixture.pool.acquire().await.expect("a connection");
    let mut lock = connection.begin().await.expect("a transaction");
    // Stored answers can be read, but none can be written: the outage begins when all are paid and none is stored.
    sqlx::query("lock table provider_results in share mode").execute(&mut *lock).await.expect("locked");
    let outage = async {
        eventually("a paid answer waits to be stored", async || {
            let waiting =
                "select exists (select from pg_locks where not granted and relation = 'provider_results'::regclass)";
            sqlx::query_scalar(waiting).fetch_one(&watcher).await.expect("read")
        })
        .await;
        eventually("all leads are looked up", async || fixture.sandbox.ledger().asked == 40).await;
        fixture.database.close().await;
        // Several tries to store the answers find no database.
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        fixture.database.open().await;
    };
    let (report, ()) = tokio::join!(run.block(&block), outage);
    // The connection was cut with its lock.
    drop(lock.rollback().await);

    let report = report.expect("complete");
    let ledger = fixture.sandbox.ledger();
    assert_eq!((ledger.asked, report.counts.processed()), (40, 40));
    assert!(ledger.people.values().all(|person| person.asked == 1 && person.billed <= 1), "{:?}", ledger.people);
    assert_eq!(report.cost_micros, ledger.billed * 100_000);
    assert_eq!(stored(&fixture).await, (40, 0), "each answer is stored, and none was paid twice");
    assert_eq!(run.block(&block).await.expect("again"), report);
    assert_eq!(fixture.sandbox.ledger(), ledger, "nothing is asked again");
}
