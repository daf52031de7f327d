//! An object that is not what was recorded: the block fails with INTEGRITY before it stores, pays or sends anything.

use std::path::PathBuf;

use luci_schema::{
    FailureCode, FoundObject, ObjectFault, Stage,
    event::{Artifact, BlockInput, Cursor},
};

use super::fixture::{Fixture, Pipeline, fixture, input, outputs};

const CSV: &str = "Company,First Name,Cell\nOne,Ann,9175550101\nTwo,Bob,9175550102\nThree,Cid,9175550103\n";

/// The run without the stages that call providers.
fn inside(mut run: Pipeline<'_>) -> Pipeline<'_> {
    run.run.stages.retain(|spec| !matches!(spec.stage, Stage::Enrich | Stage::SkipTrace));
    run
}

fn file(fixture: &Fixture, object_path: &str) -> PathBuf {
    fixture.folder.join(object_path)
}

/// Replaces text in a stored object by other text of the same length.
fn change(fixture: &Fixture, object_path: &str, from: &str, to: &str) {
    let path = file(fixture, object_path);
    let text = std::fs::read_to_string(&path).expect("an object");
    assert!(text.contains(from) && from.len() == to.len(), "{from} in {text}");
    std::fs::write(path, text.replacen(from, to, 1)).expect("written");
}

async fn refused(run: &Pipeline<'_>, stage: Stage, input: BlockInput) -> ObjectFault {
    let fault = run.block(&run.queued(stage, input)).await.expect_err("refused");
    assert_eq!((fault.failure.code, fault.failure.retryable), (FailureCode::Integrity, false), "{:?}", fault.failure);
    assert_eq!(fault.report.counts.input, 0, "nothing was done");
    *fault.failure.object.expect("the object")
}

fn artifact(done: &super::fixture::Done, kind: &str) -> Artifact {
    done.artifacts(kind)[0].clone()
}

#[tokio::test]
async fn a_changed_digit_sends_nothing() {
    let fixture = fixture().await;
    let run = inside(fixture.import(CSV).await);
    let all = run.through(Stage::Assign).await;
    let assigned = artifact(&all[&Stage::Assign], Stage::Assign.artifact_type());
    change(&fixture, &assigned.object_path, "9175550102", "9175550192");
    let fault = refused(&run, Stage::Push, input(&assigned)).await;
    assert_eq!((fault.object_path, fault.expected), (assigned.object_path.clone(), assigned.digest()));
    assert!(matches!(fault.found, FoundObject::Content { size_bytes, .. } if size_bytes == assigned.size_bytes));
    assert_eq!(fixture.count("select count(*) from sms_queue").await, 0);
    assert_eq!(fixture.count("select count(*) from dialer_queue").await, 0);

    change(&fixture, &assigned.object_path, "9175550192", "9175550102");
    let pushed = run.stage(Stage::Push, vec![input(&assigned)]).await;
    assert_eq!(pushed.counts().success, 3, "the object is what was recorded again");
}

#[tokio::test]
async fn another_artifact_of_as_many_leads_is_not_paid_for() {
    let fixture = fixture().await;
    let run = fixture.import(CSV).await;
    let other = fixture.import(CSV.replace("91755501", "91755502")).await;
    let all = run.through(Stage::Validate).await;
    let (validated, foreign) = (
        artifact(&all[&Stage::Validate], "validated"),
        artifact(&other.through(Stage::Validate).await[&Stage::Validate], "validated"),
    );
    assert_eq!(validated.leads, foreign.leads);
    std::fs::copy(file(&fixture, &foreign.object_path), file(&fixture, &validated.object_path)).expect("copied");
    for stage in [Stage::Enrich, Stage::SkipTrace] {
        refused(&run, stage, input(&validated)).await;
    }
    assert_eq!(fixture.count("select count(*) from provider_results").await, 0, "nobody was asked");
}

#[tokio::test]
async fn a_file_that_was_cut_or_changed_stores_no_lead() {
    let fixture = fixture().await;
    let rows: String = (0..900).map(|row| format!("Firm {row},Ann,917555{row:04}\n")).collect();
    let run = inside(fixture.import(format!("Company,First Name,Cell\n{rows}")).await);
    let path = file(&fixture, run.object_path());
    let whole = std::fs::read(&path).expect("a file");
    std::fs::write(&path, &whole[..whole.len() * 2 / 3]).expect("cut");
    let from = |cursor| BlockInput::Source { cursor };
    let fault = refused(&run, Stage::Import, from(Cursor::default())).await;
    assert!(matches!(fault.found, FoundObject::Size { size_bytes } if size_bytes == whole.len() as u64 * 2 / 3));
    assert_eq!(fixture.count("select count(*) from leads").await, 0);
    std::fs::remove_file(&path).expect("removed");
    assert!(matches!(refused(&run, Stage::Import, from(Cursor::default())).await.found, FoundObject::Missing));
    std::fs::write(&path, &whole).expect("restored");
    assert_eq!(run.read().await.counts().success, 900);
}

#[tokio::test]
async fn a_file_that_changes_between_two_blocks_is_found_where_it_changed() {
    let fixture = fixture().await;
    // Two parts of 64 KiB and some more: the change is in the second.
    let rows: String = (0..4_000).map(|row| format!("Firm {row:05},Ann,917555{row:04}\n")).collect();
    let run = inside(fixture.import(format!("Company,First Name,Cell\n{rows}")).await);
    let kinds = luci_stages::bound(&fixture.tools);
    let kind = kinds.iter().find(|kind| kind.stage() == Stage::Import).expect("a kind");
    let block = async |cursor: Cursor| {
        let block = run.queued(Stage::Import, BlockInput::Source { cursor });
        kind.run(&run.task(block), &luci_runs::block::Progress::silent()).await
    };
    let next = block(Cursor::default()).await.expect("read").next.expect("more");
    change(&fixture, run.object_path(), "Firm 03000", "Firm 93000");
    let next = block(next).await.expect("another part").next.expect("more");
    let mut cursor = next;
    let fault = loop {
        match block(cursor).await {
            Ok(report) => cursor = report.next.expect("the changed row is not at the end"),
            Err(fault) => break fault,
        }
    };
    assert_eq!(fault.failure.code, FailureCode::Integrity);
    let found = fault.failure.object.expect("the object").found;
    assert!(matches!(found, FoundObject::Part { from_byte: 65_536, .. }), "{found:?}");
}

#[tokio::test]
async fn a_superseded_attempt_leaves_the_object_that_counts() {
    let fixture = fixture().await;
    let run = inside(fixture.import(CSV).await);
    let all = run.through(Stage::Validate).await;
    let block = run.queued(Stage::Score, outputs(&all[&Stage::Validate], Stage::Validate).remove(0));
    let counted = run.block(&block).await.expect("done").artifacts.remove(0);
    // The same release again, with leads that score otherwise: what an attempt does that slept while another completed.
    let mut late = inside(fixture.import(CSV).await);
    (late.run_id, late.run) = (run.run_id, run.run.clone());
    let other = fixture.import(CSV.replace("Ann", "Eva")).await;
    let others = other.through(Stage::Validate).await;
    let mut block = block;
    block.input = outputs(&others[&Stage::Validate], Stage::Validate).remove(0);
    let fenced = late.block(&block).await.expect("done").artifacts.remove(0);
    assert_eq!(fenced.artifact_id, counted.artifact_id);
    assert_ne!(fenced.object_path, counted.object_path);
    fixture.tools.storage.verify(&counted.object_path, &counted.digest()).await.expect("not overwritten");
}
