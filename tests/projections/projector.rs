//! Every event is folded exactly once, whenever a projector dies, is replaced or halts.

use luci_projections::{FOLLOWER, RunStatus, blocks, counters, metrics, runs};
use luci_runs::core::RunCommand;
use luci_schema::{
    Actor, CommandId, CorrelationId, FailureCode, Position, RunEvent, Stage, TenantId, Version,
    event::RunPaused,
    log::{Append, Lease},
};

use super::{
    fixture::fixture,
    history::{History, Outcome},
};

#[tokio::test(flavor = "multi_thread")]
async fn queries_answer_completed_and_failed_runs() {
    let fixture = fixture().await;
    let (tenant, other) = (TenantId::generate(), TenantId::generate());
    let mut done = History::completed(tenant, "done", 1_000, 250);
    done.append_to(&fixture.log).await;
    let mut failing = History::started(tenant, "failing", 500, 250);
    failing.work(usize::MAX, |block| match block.stage {
        Stage::SkipTrace if block.block_number == 2 => Outcome::Failed(FailureCode::Auth),
        Stage::Enrich => Outcome::Done { failed: 10 },
        _ => Outcome::Done { failed: 0 },
    });
    failing.append_to(&fixture.log).await;
    History::completed(other, "other", 250, 250).append_to(&fixture.log).await;
    fixture.caught_up().await;
    fixture.assert_no_drift().await;

    let mut tx = fixture.reading(tenant).await;
    let page = runs::list(&mut tx, tenant, &runs::RunFilter::default()).await.expect("a page");
    assert_eq!((page.total, page.total_capped, page.has_more), (2, false, false));
    assert_eq!((page.counts.completed, page.counts.failed, page.counts.queued), (1, 1, 0));
    assert_eq!(page.position, fixture.log.head());
    let names: Vec<_> = page.runs.iter().map(|run| run.pipeline_name.as_str()).collect();
    assert_eq!(names, ["failing", "done"]);

    let detail = runs::get(&mut tx, tenant, done.id).await.expect("queried").expect("found");
    assert_eq!(
        (detail.run.status, detail.run.progress, detail.run.processed_leads),
        (RunStatus::Completed, 100, 1_000)
    );
    assert_eq!(detail.run.version, i64::try_from(done.events.len()).expect("small"));
    for stage in &detail.stages {
        assert!(stage.finished, "{stage:?}");
        assert_eq!((stage.total_blocks, stage.blocks.completed), (Some(4), 4));
        assert_eq!((stage.metrics.input_count, stage.output_count), (1_000, 1_000));
    }
    assert_eq!((detail.blocks.len(), detail.artifacts.len()), (28, 28));
    let figures = metrics::get(&mut tx, tenant, done.id).await.expect("queried").expect("found");
    assert_eq!((figures.pushed, figures.average_score), (1_000, Some(70.0)));
    assert_eq!((figures.enrichment_cost_micros, figures.total_cost_micros, figures.warning_count), (40_000, 40_000, 4));

    let detail = runs::get(&mut tx, tenant, failing.id).await.expect("queried").expect("found");
    let error = detail.run.error.expect("an error");
    assert_eq!((error.code, error.stage), (FailureCode::Auth, Some(Stage::SkipTrace)));
    assert!(matches!(detail.run.waiting_for, Some(runs::Waiting::Block { block_number: 2, .. })));
    let failed = blocks::BlockFilter { status: Some(luci_projections::BlockStatus::Failed), ..Default::default() };
    let page = blocks::page(&mut tx, tenant, failing.id, &failed).await.expect("a page");
    assert_eq!(page.blocks.len(), 1);
    assert_eq!(page.blocks[0].metrics.failed_count, 240, "all of its leads failed with it");

    // Another tenant does not see the run.
    assert!(runs::get(&mut tx, other, done.id).await.expect("queried").is_none());
    assert_eq!(counters::get(&mut tx, other).await.expect("queried").completed, 0, "row security holds");
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_and_skips_keep_the_sums() {
    let fixture = fixture().await;
    let tenant = TenantId::generate();
    let mut run = History::started(tenant, "retried", 500, 250);
    run.work(usize::MAX, |block| match block.stage {
        Stage::Enrich if block.block_number == 1 => Outcome::Failed(FailureCode::Auth),
        Stage::Score if block.block_number == 1 => Outcome::Failed(FailureCode::Internal),
        Stage::SkipTrace => Outcome::Done { failed: 7 },
        _ => Outcome::Done { failed: 0 },
    });
    let failed: Vec<_> =
        run.run.retryable_blocks().filter(|(_, b)| b.leads().is_some()).map(|(id, b)| (id, b.stage)).collect();
    let of = |stage| failed.iter().find(|(_, s)| *s == stage).map(|(id, _)| *id).expect("it can be retried");
    run.issue(RunCommand::RetryBlock(of(Stage::SkipTrace)));
    run.work(usize::MAX, |_| Outcome::Done { failed: 2 });
    run.issue(RunCommand::SkipBlock(of(Stage::Score)));
    run.issue(RunCommand::RetryBlock(of(Stage::Enrich)));
    run.work(usize::MAX, |_| Outcome::Done { failed: 0 });
    assert_eq!(run.run.status().as_str(), "completed", "{:?}", run.run.error());
    run.append_to(&fixture.log).await;
    fixture.caught_up().await;
    fixture.assert_no_drift().await;

    let mut tx = fixture.reading(tenant).await;
    let detail = runs::get(&mut tx, tenant, run.id).await.expect("queried").expect("found");
    for (sum, state) in detail.stages.iter().zip(run.run.stages()) {
        assert_eq!(sum.metrics.input_count, state.sums.input, "{}", sum.stage);
        assert_eq!(sum.metrics.failed_count, state.sums.failed, "{}", sum.stage);
        assert_eq!(sum.output_count, state.sums.output(), "{}", sum.stage);
        assert_eq!((sum.cost_micros, sum.finished), (state.cost_micros, true), "{}", sum.stage);
        assert_eq!(sum.total_blocks, Some(state.numbered), "{}", sum.stage);
    }
    assert_eq!(detail.run.cost_micros, run.run.totals().cost_micros);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_random_moments_it_folds_each_event_once() {
    let fixture = fixture().await;
    let tenant = TenantId::generate();
    let appending = {
        let log = fixture.log.clone();
        tokio::spawn(async move {
            for n in 0..60 {
                History::completed(tenant, &format!("run {n}"), 500, 250).append_to(&log).await;
            }
        })
    };
    // Aborted anywhere: between rows and checkpoint, or before the commit.
    for round in 0..40 {
        let running = fixture.project(&format!("victim {round}"));
        tokio::time::sleep(std::time::Duration::from_millis(15 + round % 7 * 9)).await;
        running.task.abort();
        fixture.expire_lease().await;
    }
    appending.await.expect("appended");
    fixture.caught_up().await;
    fixture.assert_no_drift().await;
    let mut tx = fixture.reading(tenant).await;
    assert_eq!(counters::get(&mut tx, tenant).await.expect("queried").completed, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_epoch_writes_nothing() {
    let fixture = fixture().await;
    let tenant = TenantId::generate();
    History::completed(tenant, "first", 250, 250).append_to(&fixture.log).await;
    let mut running = fixture.project("stale");
    running.reach(fixture.log.head()).await;

    // Another process takes the lease while this one is inside a batch.
    let blocked = fixture.block_batches().await;
    History::completed(tenant, "second", 250, 250).append_to(&fixture.log).await;
    fixture.batch_is_blocked().await;
    fixture.expire_lease().await;
    let ttl = std::time::Duration::from_secs(60);
    let lease = Lease::acquire(&fixture.pool, FOLLOWER, "successor", ttl).await.expect("queried").expect("free");
    blocked.commit().await.expect("unlocked");
    // Granted after the batch has ended: it waited for the lock first.
    fixture.block_batches().await.commit().await.expect("unlocked");
    assert_eq!(fixture.checkpoint().await.0, lease.position());
    let mut c = fixture.pool.acquire().await.expect("a connection");
    let runs: i64 = sqlx::query_scalar("select count(*) from pipeline_runs").fetch_one(&mut *c).await.expect("counted");
    assert_eq!(runs, 1, "the batch was rolled back");
    drop(c);

    // With the lease released, the first process acquires it again and continues.
    lease.release().await;
    running.reach(fixture.log.head()).await;
    running.stop().await.expect("stopped without an error");
    fixture.assert_no_drift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_folded_halts_it_right_before_with_the_reason() {
    let fixture = fixture().await;
    let tenant = TenantId::generate();
    let good = History::completed(tenant, "good", 250, 250).append_to(&fixture.log).await;
    // A stream that begins in the middle.
    let bad = Append {
        tenant,
        stream: luci_schema::RunId::generate().into(),
        expected: Version(0),
        events: vec![RunEvent::Paused(RunPaused::default()).into()],
        actor: Actor::System,
        command: CommandId::derive(&["bad"]),
        correlation: CorrelationId::generate(),
        causation: None,
        receipt: None,
    };
    let at = fixture.log.append(bad).await.expect("the log accepts any event").position();
    let mut running = fixture.project("halting");
    running.reach(good).await;
    let halted = async {
        loop {
            let (position, error) = fixture.checkpoint().await;
            assert!(position < at, "it does not go past the event");
            if let Some(reason) = error {
                return (position, reason);
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let halted = tokio::time::timeout(std::time::Duration::from_secs(60), halted).await;
    let (position, reason) = halted.expect("it halts");
    assert_eq!(position, Position(at.0 - 1), "right before the event");
    assert!(reason.contains(&format!("position {at}: run:paused")), "{reason}");
    assert!(reason.contains("comes before its run:queued"), "{reason}");
    assert!(running.stop().await.is_err());
}
