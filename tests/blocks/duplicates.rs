//! Duplicates: one lead a person within a file, between files, and when two files are validated at once.

use luci_schema::{Stage, event::OnExisting};

use super::fixture::{fixture, outputs};

const FIRST: &str =
    "Company,Contact,Phone,Email,City\nAcme,Ann Lee,2125550147,ann@acme.co,Albany\nBolt,,2125550148,,\n";
const SECOND: &str = "Company,Phone,Cell,Email,Website\nAcme Inc,,917-555-0101,ANN@acme.co,acme.co\nCog,,9175550102,,\nBolt,2125550148,,,\nBolt again,2125550148,,,\n";

#[tokio::test]
async fn a_lead_of_another_file_is_reused_and_its_blanks_are_filled() {
    let fixture = fixture().await;
    let earlier = fixture.import(FIRST).await;
    let first = earlier.through(Stage::Validate).await;
    let existing = fixture.leads(first[&Stage::Validate].artifacts("validated")[0]).await;
    let run = fixture.import(SECOND).await;
    let all = run.through(Stage::Validate).await;
    let done = &all[&Stage::Validate];
    assert_eq!((done.counts().success, done.counts().failed), (3, 1));
    assert_eq!(done.warnings()["duplicate_existing"], 2);
    assert_eq!(done.reasons()["duplicate_in_file"], 1);
    let leads = fixture.leads(done.artifacts("validated")[0]).await;
    assert_eq!((leads[0].lead_id, leads[2].lead_id), (existing[0].lead_id, existing[1].lead_id));
    assert!(leads[1].lead_id != existing[0].lead_id && leads[1].lead_id != existing[1].lead_id);
    // The first file's values stay, its blanks are filled.
    assert_eq!(leads[0].firm.company_name.as_deref(), Some("Acme"));
    assert_eq!(leads[0].firm.domain.as_deref(), Some("acme.co"));
    assert_eq!(leads[0].phones.len(), 2);
    assert_eq!((leads[0].row, leads[0].line), (1, 2), "the place is that of the row");
    assert_eq!(fixture.count("select count(*) from leads").await, 3);
    let text = fixture.lines(done.artifacts("rejected")[0]).await;
    assert!(text[0].contains("row 3"), "{}", text[0]);

    // The first file again, as a replay: nothing of it counts as existing.
    let again = fixture.pipeline(earlier.run.input.clone(), earlier.run.root_input_id.clone());
    let replayed = again.through(Stage::Validate).await;
    assert_eq!(replayed[&Stage::Validate].counts().success, 2);
    assert!(replayed[&Stage::Validate].warnings().is_empty());
    assert_eq!(fixture.count("select count(*) from leads").await, 3);
}

#[tokio::test]
async fn a_warning_of_one_run_is_not_repeated_by_the_next() {
    let fixture = fixture().await;
    fixture.import(FIRST).await.through(Stage::Assign).await;
    let all = fixture.import(SECOND).await.through(Stage::Assign).await;
    assert_eq!(all[&Stage::Validate].warnings()["duplicate_existing"], 2);
    assert!(all[&Stage::Assign].counts().output() > 0, "the book was written by ASSIGN");
    // A run of a sector's members reads its leads from here.
    assert_eq!(fixture.count("select count(*) from leads where data->'warnings' is not null").await, 0);
}

#[tokio::test]
async fn a_lead_of_another_file_can_be_left_out() {
    let fixture = fixture().await;
    fixture.import(FIRST).await.through(Stage::Validate).await;
    let mut run = fixture.import(SECOND).await;
    run.run.options.on_existing = OnExisting::Skip;
    for _ in 0..2 {
        let done = run.through(Stage::Validate).await;
        let done = &done[&Stage::Validate];
        assert_eq!((done.counts().success, done.counts().failed), (1, 3));
        assert_eq!(done.reasons()["duplicate_existing"], 3);
    }
}

#[tokio::test]
async fn two_files_at_once_make_one_lead_of_one_phone() {
    let fixture = fixture().await;
    let csv = |name: &str| {
        let rows = (0..100).map(|n| format!("{name} {n},212555{n:04}\n")).collect::<String>();
        format!("Company,Phone\n{rows}")
    };
    let (a, b) = (fixture.import(csv("a")).await, fixture.import(csv("b")).await);
    let (read_a, read_b) = (a.read().await, b.read().await);
    let (done_a, done_b) = tokio::join!(
        a.stage(Stage::Validate, outputs(&read_a, Stage::Import)),
        b.stage(Stage::Validate, outputs(&read_b, Stage::Import)),
    );
    assert_eq!(fixture.count("select count(*) from leads").await, 100);
    let warned = [&done_a, &done_b].map(|done| done.warnings().get("duplicate_existing").copied().unwrap_or(0));
    assert_eq!(warned.iter().sum::<u64>(), 100);
}
