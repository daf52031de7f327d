//! Exactly once, whatever dies when.

use luci_engine::run::RunCommand;
use luci_projections::{RunStatus, blocks, counters, metrics, runs};
use luci_schema::{
    Actor, CommandId, CorrelationId, FailureCode, Position, RunEvent, Stage, TenantId, Version,
    event::RunPaused,
    log::{self, Append, Lease},
};

use super::{
    ground::ground,
    history::{Fate, History},
};

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_every_kind_are_answered_as_they_went() {
    let ground = ground().await;
    let (tenant, other) = (TenantId::generate(), TenantId::generate());
    let mut done = History::completed(tenant, "done", 1_000, 250);
    done.append_to(&ground.log).await;
    let mut broken = History::started(tenant, "broken", 500, 250);
    broken.work(usize::MAX, |block| match block.stage {
        Stage::SkipTrace if block.block_number == 2 => Fate::Broken(FailureCode::Auth),
        Stage::Enrich => Fate::Done { failed: 10 },
        _ => Fate::Done { failed: 0 },
    });
    broken.append_to(&ground.log).await;
    History::completed(other, "other", 250, 250).append_to(&ground.log).await;
    ground.caught_up().await;
    ground.assert_no_drift().await;

    let mut tx = ground.reading(tenant).await;
    let page = runs::list(&mut tx, tenant, &runs::RunFilter::default()).await.expect("a page");
    assert_eq!((page.total, page.total_capped, page.has_more), (2, false, false));
    assert_eq!((page.counts.completed, page.counts.failed, page.counts.queued), (1, 1, 0));
    assert_eq!(page.position, ground.log.head());
    let names: Vec<_> = page.runs.iter().map(|run| run.pipeline_name.as_str()).collect();
    assert_eq!(names, ["broken", "done"]);

    let detail = runs::get(&mut tx, tenant, done.id).await.expect("asked").expect("found");
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
    let figures = metrics::get(&mut tx, tenant, done.id).await.expect("asked").expect("found");
    assert_eq!((figures.pushed, figures.average_score), (1_000, Some(70.0)));
    assert_eq!((figures.enrichment_cost_micros, figures.total_cost_micros, figures.warning_count), (40_000, 40_000, 4));

    let detail = runs::get(&mut tx, tenant, broken.id).await.expect("asked").expect("found");
    let error = detail.run.error.expect("it failed");
    assert_eq!((error.code, error.stage), (FailureCode::Auth, Some(Stage::SkipTrace)));
    assert!(matches!(detail.run.waiting_for, Some(runs::Waiting::Block { block_number: 2, .. })));
    let failed = blocks::BlockFilter { status: Some(luci_projections::BlockStatus::Failed), ..Default::default() };
    let page = blocks::page(&mut tx, tenant, broken.id, &failed).await.expect("a page");
    assert_eq!(page.blocks.len(), 1);
    assert_eq!(page.blocks[0].metrics.failed_count, 240, "all of its leads failed with it");

    // Another tenant's run is nobody's.
    assert!(runs::get(&mut tx, other, done.id).await.expect("asked").is_none());
    assert_eq!(counters::get(&mut tx, other).await.expect("asked").completed, 0, "row security holds");
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_and_skips_keep_the_sums() {
    let ground = ground().await;
    let tenant = TenantId::generate();
    let mut run = History::started(tenant, "mended", 500, 250);
    run.work(usize::MAX, |block| match block.stage {
        Stage::Enrich if block.block_number == 1 => Fate::Broken(FailureCode::Auth),
        Stage::Score if block.block_number == 1 => Fate::Broken(FailureCode::Internal),
        Stage::SkipTrace => Fate::Done { failed: 7 },
        _ => Fate::Done { failed: 0 },
    });
    let failed: Vec<_> =
        run.run.shelved_blocks().filter(|(_, b)| b.leads().is_some()).map(|(id, b)| (id, b.stage)).collect();
    let of = |stage| failed.iter().find(|(_, s)| *s == stage).map(|(id, _)| *id).expect("it is shelved");
    run.ask(RunCommand::RetryBlock(of(Stage::SkipTrace)));
    run.work(usize::MAX, |_| Fate::Done { failed: 2 });
    run.ask(RunCommand::SkipBlock(of(Stage::Score)));
    run.ask(RunCommand::RetryBlock(of(Stage::Enrich)));
    run.work(usize::MAX, |_| Fate::Done { failed: 0 });
    assert_eq!(run.run.status().as_str(), "completed", "{:?}", run.run.error());
    run.append_to(&ground.log).await;
    ground.caught_up().await;
    ground.assert_no_drift().await;

    let mut tx = ground.reading(tenant).await;
    let detail = runs::get(&mut tx, tenant, run.id).await.expect("asked").expect("found");
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
async fn killed_at_any_moment_it_folds_each_event_once() {
    let ground = ground().await;
    let tenant = TenantId::generate();
    let appending = {
        let log = ground.log.clone();
        tokio::spawn(async move {
            for n in 0..60 {
                History::completed(tenant, &format!("run {n}"), 500, 250).append_to(&log).await;
            }
        })
    };
    // Dropped in the middle of whatever it does: between rows and checkpoint, or before the commit.
    for round in 0..40 {
        let running = ground.project(&format!("victim {round}"));
        tokio::time::sleep(std::time::Duration::from_millis(15 + round % 7 * 9)).await;
        running.task.abort();
        sqlx::query("update log.followers set lease_until = '-infinity'").execute(&ground.pool).await.expect("freed");
    }
    appending.await.expect("appended");
    ground.caught_up().await;
    ground.assert_no_drift().await;
    let mut tx = ground.reading(tenant).await;
    assert_eq!(counters::get(&mut tx, tenant).await.expect("asked").completed, 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_epoch_writes_nothing() {
    let ground = ground().await;
    let tenant = TenantId::generate();
    History::completed(tenant, "first", 250, 250).append_to(&ground.log).await;
    ground.caught_up().await;
    let zombie = ground.project("zombie");
    let mut running = zombie;
    running.reach(ground.log.head()).await;

    // Another takes over while this one believes that it leads.
    sqlx::query("update log.followers set lease_until = '-infinity'").execute(&ground.pool).await.expect("freed");
    let ttl = std::time::Duration::from_secs(60);
    let lease =
        Lease::acquire(&ground.pool, luci_projections::FOLLOWER, "usurper", ttl).await.expect("asked").expect("free");
    let before = lease.position();
    History::completed(tenant, "second", 250, 250).append_to(&ground.log).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    let mut c = ground.pool.acquire().await.expect("a connection");
    assert_eq!(log::follower_position(&mut c, luci_projections::FOLLOWER).await.expect("asked"), before);
    let runs: i64 = sqlx::query_scalar("select count(*) from pipeline_runs").fetch_one(&mut *c).await.expect("counted");
    assert_eq!(runs, 1, "the zombie wrote nothing");

    // When the lease is free again, it goes on where it was.
    lease.release().await;
    running.reach(ground.log.head()).await;
    running.stop().await.expect("an orderly end");
    ground.assert_no_drift().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_event_stops_it_right_before_with_the_reason() {
    let ground = ground().await;
    let tenant = TenantId::generate();
    let good = History::completed(tenant, "good", 250, 250).append_to(&ground.log).await;
    // A stream that begins in the middle.
    let poison = Append {
        tenant,
        stream: luci_schema::RunId::generate().into(),
        expected: Version(0),
        events: vec![RunEvent::Paused(RunPaused::default()).into()],
        actor: Actor::System,
        command: CommandId::derive(&["poison"]),
        correlation: CorrelationId::generate(),
        causation: None,
        receipt: None,
    };
    let at = ground.log.append(poison).await.expect("the log takes any event").position();
    let mut running = ground.project("halting");
    running.reach(good).await;
    let reason = loop {
        let mut c = ground.pool.acquire().await.expect("a connection");
        let followers = log::followers(&mut c).await.expect("asked");
        let mine = followers.into_iter().find(|f| f.name == luci_projections::FOLLOWER).expect("it is there");
        assert!(mine.position < at, "it does not go past the event");
        if let Some(reason) = mine.last_error {
            assert_eq!(mine.position, Position(at.0 - 1), "right before the event");
            break reason;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(reason.contains("comes before its run:queued"), "{reason}");
    assert!(running.stop().await.is_err());
}
