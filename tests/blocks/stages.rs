//! A sample of a thousand rows, a tenth of them invalid, through all seven stages.

use std::collections::{BTreeMap, BTreeSet};

use luci::cli::demo::sample;
use luci_leads::lead::line::FailedLine;
use luci_schema::{
    FailureCode, FoundObject, Stage,
    event::{BlockInput, ObjectDigest},
};
use tokio_util::sync::CancellationToken;

use super::fixture::{fixture, input, outputs};

#[tokio::test]
async fn every_row_is_accounted_for_and_repeating_a_block_changes_nothing() {
    let fixture = fixture().await;
    let mut file = Vec::new();
    let broken = sample::csv(&mut file, 1_000, 10, 3).expect("memory");
    let run = fixture.import(file).await;
    let all = run.through(Stage::Push).await;

    assert_eq!(all[&Stage::Import].counts().success, 1_000);
    let validated = &all[&Stage::Validate];
    assert_eq!((validated.counts().input, validated.counts().failed), (1_000, broken.len() as u64));
    let mut stages: Vec<_> = all.values().map(|done| done.counts()).collect();
    stages.windows(2).for_each(|pair| assert_eq!(pair[0].output(), pair[1].input));
    let last = stages.pop().expect("seven");
    assert!(last.success > 800, "{last:?}");
    assert!(all[&Stage::Enrich].counts().no_match > 0 && all[&Stage::SkipTrace].counts().skipped > 0);

    // Each broken row with its line and reason.
    let mut reported = BTreeMap::new();
    for artifact in validated.artifacts("rejected") {
        for text in fixture.lines(artifact).await {
            let line: FailedLine = serde_json::from_str(&text).expect("a failed line");
            assert_eq!(line.code, FailureCode::Validation);
            assert!(line.detail.is_some_and(|detail| detail.expected.is_some()));
            reported.insert(line.row, (line.line, line.reason));
        }
    }
    let want = broken.iter().map(|b| (b.row, (b.line, b.kind.reason().to_owned()))).collect::<BTreeMap<_, _>>();
    assert_eq!(reported, want);

    let queued = "select (select count(*) from sms_queue) + (select count(*) from dialer_queue)";
    let before = (fixture.count(queued).await, fixture.count("select count(*) from leads").await);
    assert_eq!(before.1, 1_000 - broken.len() as i64);
    assert_eq!(fixture.count("select count(*) from attempt_logs").await, before.0);
    assert_eq!(fixture.count("select count(distinct lead_id) from attempt_logs").await, last.success as i64);
    for done in all.values() {
        for (block, report) in done.tasks.iter().zip(&done.reports) {
            let again = run.block(block).await.expect("as before");
            assert_eq!(again, *report, "{}", block.stage);
        }
    }
    assert_eq!((fixture.count(queued).await, fixture.count("select count(*) from leads").await), before);
    assert_eq!(fixture.count("select count(*) from attempt_logs").await, before.0);
}

#[tokio::test]
async fn blocks_continue_where_the_previous_one_ended_whatever_their_size() {
    let fixture = fixture().await;
    let mut file = Vec::new();
    sample::csv(&mut file, 300, 20, 5).expect("memory");
    let mut run = fixture.import(file).await;
    let mut seen = Vec::new();
    for size in [1, 7, 1_000] {
        run.run.options.block_size = size;
        let done = run.read().await;
        assert_eq!(done.reports.len(), 300_usize.div_ceil(size as usize));
        let mut leads = Vec::new();
        for artifact in done.artifacts("parsed") {
            leads.extend(fixture.leads(artifact).await);
        }
        assert_eq!(leads.len(), 300);
        seen.push(leads);
    }
    assert!(seen[0] == seen[1] && seen[1] == seen[2]);
    let ids: BTreeSet<_> = seen[0].iter().map(|lead| lead.lead_id).collect();
    assert_eq!(ids.len(), 300);
}

#[tokio::test]
async fn a_stopped_block_reports_what_was_done() {
    let fixture = fixture().await;
    let mut file = Vec::new();
    sample::csv(&mut file, 50, 0, 5).expect("memory");
    let mut run = fixture.import(file).await;
    let all = run.through(Stage::Push).await;
    run.stop = CancellationToken::new();
    run.stop.cancel();
    for (stage, done) in all.iter().filter(|(stage, _)| **stage != Stage::Import) {
        let again = run.block(&run.queued(*stage, done.tasks[0].input.clone())).await.expect("what was done");
        let counts = again.counts;
        assert!(counts.balanced() && counts.processed() == 0, "{stage}: {counts:?}");
    }
}

#[tokio::test]
async fn settings_are_read_and_wrong_ones_are_refused() {
    let fixture = fixture().await;
    let csv = "Company,Phone,SIC\nAcme,2125550147,1711\n";
    let mut run = fixture.import(csv).await;
    let profile = serde_json::json!({"scoringProfile": {"name": "mine", "version": 4, "high": 9, "medium": 5,
        "factors": [{"name": "trade", "points": 9, "on": "sic_prefix", "prefixes": ["17"]}]}});
    run.configure(Stage::Score, profile);
    let all = run.through(Stage::Score).await;
    let scored = &all[&Stage::Score];
    assert_eq!(scored.reports[0].score_sum, Some(9));
    let lead = &fixture.leads(scored.artifacts("scored")[0]).await[0];
    let score = lead.scored.as_ref().expect("a score");
    assert_eq!((score.profile.as_str(), score.priority.as_str()), ("mine/4", "high"));

    run.configure(Stage::Push, serde_json::json!({"chanels": ["sms"]}));
    let fault =
        run.block(&run.queued(Stage::Push, outputs(scored, Stage::Score)[0].clone())).await.expect_err("a typo");
    assert_eq!(fault.failure.code, FailureCode::Validation);
    assert!(fault.failure.message.contains("chanels"), "{}", fault.failure.message);
}

#[tokio::test]
async fn old_encodings_and_unusual_line_ends_are_read() {
    let fixture = fixture().await;
    let csv = b"\xef\xbb\xbfBusiness Name;Phone;Route\r\nCaf\xe9 Z\xfcrich;(212) 555-0147;x\r\n\r\n\"Two\r\nlines\";9175550101;\"a;b\"\r\n";
    let run = fixture.import(&csv[..]).await;
    let all = run.through(Stage::Validate).await;
    let leads = fixture.leads(all[&Stage::Validate].artifacts("validated")[0]).await;
    let names: Vec<_> = leads.iter().map(|lead| (lead.firm.company_name.clone().expect("a name"), lead.line)).collect();
    assert_eq!(names, [("Café Zürich".to_owned(), 2), ("Two\r\nlines".to_owned(), 4)]);
    assert_eq!(leads[1].extra["Route"], "a;b");
}

#[tokio::test]
async fn an_input_that_is_gone_or_no_lead_fails_the_block() {
    let fixture = fixture().await;
    let run = fixture.import("City\nx\n").await;
    let gone = BlockInput::Artifact {
        artifact_id: luci_schema::ArtifactId::generate(),
        object_path: format!("{}/nowhere.ndjson", fixture.tenant),
        leads: 1,
        digest: Some(ObjectDigest { size_bytes: 1, checksum: "00".repeat(32) }),
    };
    for stage in [Stage::Validate, Stage::Enrich, Stage::SkipTrace, Stage::Score, Stage::Assign, Stage::Push] {
        let fault = run.block(&run.queued(stage, gone.clone())).await.expect_err("nothing there");
        assert_eq!(fault.failure.code, FailureCode::Integrity, "{stage}");
        assert!(matches!(fault.failure.object.expect("an object").found, FoundObject::Missing), "{stage}");
    }
    let writer = fixture.tools.storage.write_artifact(
        fixture.tenant,
        run.run_id,
        "scored",
        1,
        luci_schema::ArtifactId::generate(),
    );
    let mut writer = writer.expect("a key");
    writer.raw_line(br#"{"secret":"212"}"#);
    let artifact = writer.finish(Vec::new()).await.expect("written");
    let fault = run.block(&run.queued(Stage::Assign, input(&artifact))).await.expect_err("no lead");
    assert_eq!(fault.failure.code, FailureCode::Internal);
    assert!(!fault.failure.message.contains("212") && !fault.failure.retryable, "{}", fault.failure.message);
}
