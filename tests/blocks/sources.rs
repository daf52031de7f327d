//! Runs without a file: from the leads of a sector, and from an earlier run's artifacts.

use luci_leads::store::{leads, sector_lists, sectors};
use luci_schema::{
    Actor, BlockEvent, CommandId, CorrelationId, Event, Micros, SectorId, Stage, Version,
    event::{BlockCompleted, BlockFailed, BlockSkipped, RunInput, RunTotals},
    log::Append,
};

use super::fixture::{Fixture, Pipeline, fixture, outputs};

async fn sector(fixture: &Fixture, slug: &str, state: Option<&str>, code: &str) -> SectorId {
    let sector = sectors::Sector {
        id: SectorId::generate(),
        slug: slug.into(),
        name: slug.into(),
        state: state.map(str::to_owned),
        sic_codes: vec![code.into()],
        legacy_bucket_id: None,
        created_at: Micros::now(),
    };
    let mut c = fixture.tools.pool.acquire().await.expect("a connection");
    sectors::create(&mut c, fixture.tenant, &sector).await.expect("a sector");
    assert_eq!(sectors::get(&mut c, fixture.tenant, slug).await.expect("read"), Some(sector.clone()));
    assert_eq!(sectors::get(&mut c, fixture.tenant, &sector.id.to_string()).await.expect("read"), Some(sector.clone()));
    sector.id
}

fn plumbers(count: u32) -> String {
    let row = |n| format!("Firm {n},212555{n:04},NY,{}\n", if n % 5 == 0 { 9999 } else { 1711 });
    format!("Company,Phone,State,SIC\n{}", (1..=count).map(row).collect::<String>())
}

#[tokio::test]
async fn leads_are_assigned_and_a_run_from_the_sector_reads_them() {
    let fixture = fixture().await;
    let ours = sector(&fixture, "ny-plumbers", Some("NY"), "1711").await;
    sector(&fixture, "us-trades", None, "17").await;
    let mut run = fixture.import(plumbers(50)).await;
    run.run.options.block_size = 20;
    let all = run.through(Stage::Push).await;
    let assigned = all[&Stage::Assign].counts();
    assert_eq!((assigned.success, assigned.no_match), (40, 10));
    sqlx::query("update leads set status = 'dnc' where company_name = 'Firm 1'")
        .execute(&fixture.pool)
        .await
        .expect("dnc");
    let mut c = fixture.tools.pool.acquire().await.expect("a connection");
    assert_eq!(leads::count_members(&mut c, fixture.tenant, ours).await.expect("a count"), 39);
    drop(c);
    let list = format!("{}/sectors/{ours}/leads_2026-09-21", fixture.tenant);
    for path in [format!("{list}.json"), format!("{list}_{}.json", run.run_id)] {
        let bytes = fixture.tools.storage.get(&path).await.expect("a list");
        let list: serde_json::Value = serde_json::from_slice(&bytes).expect("json");
        assert_eq!((&list["count"], list["leads"].as_array().expect("leads").len()), (&40.into(), 40));
        assert_eq!(list["leads"][0]["companyName"], "Firm 1");
    }
    let scored = "select count(*) from leads where score > 0 and priority = 'low' and 'blue-collar' = any(tags)";
    assert_eq!(fixture.count(scored).await, 40);

    let mut again = fixture.pipeline(RunInput::Sector { sector_id: ours }, ours.to_string());
    again.run.sector_id = Some(ours);
    again.run.options.block_size = 13;
    let keys = fixture.count("select count(*) from lead_keys").await;
    let read = again.through(Stage::Push).await;
    let sizes: Vec<_> = read[&Stage::Import].reports.iter().map(|report| report.counts.input).collect();
    assert_eq!(sizes, [13, 13, 13]);
    assert_eq!(read[&Stage::Validate].counts().success, 39);
    assert!(read[&Stage::Validate].warnings().is_empty());
    assert_eq!(fixture.count("select count(*) from lead_keys").await, keys, "sector runs claim nothing");
    assert_eq!(read[&Stage::Assign].counts().success, 39);
    let ids: Vec<_> = fixture.leads(read[&Stage::Import].artifacts("parsed")[0]).await;
    assert!(ids.windows(2).all(|pair| pair[0].lead_id < pair[1].lead_id && pair[0].row < pair[1].row));
}

#[tokio::test]
async fn a_sector_s_list_is_compared_with_what_was_recorded_of_it() {
    let fixture = fixture().await;
    let ours = sector(&fixture, "ny-plumbers", Some("NY"), "1711").await;
    let mut run = fixture.import(plumbers(50)).await;
    run.run.options.block_size = 20;
    let scored = run.through(Stage::Score).await;
    let mut inputs = outputs(&scored[&Stage::Score], Stage::Score);
    let last = inputs.split_off(2);
    run.stage(Stage::Assign, inputs).await;
    let storage = &fixture.tools.storage;
    let path = format!("{}/sectors/{ours}/leads_2026-09-21_{}.json", fixture.tenant, run.run_id);
    let recorded = async || {
        let mut c = fixture.tools.pool.acquire().await.expect("a connection");
        sector_lists::digest(&mut c, fixture.tenant, &path).await.expect("read").expect("recorded")
    };
    storage.verify(&path, &recorded().await).await.expect("what was recorded");
    // Somebody changes an entry and adds another.
    let mut list: serde_json::Value = serde_json::from_slice(&storage.get(&path).await.expect("a list")).expect("json");
    let before = list["leads"].as_array().expect("leads").clone();
    list["leads"][0]["companyName"] = "Not Firm 1".into();
    let mut other = before[0].clone();
    other["leadId"] = luci_schema::LeadId::generate().to_string().into();
    list["leads"].as_array_mut().expect("leads").push(other);
    let changed = serde_json::to_vec(&list).expect("json");
    storage.put(&path.parse().expect("a key"), changed.into(), "application/json").await.expect("written");
    storage.verify(&path, &recorded().await).await.expect_err("it differs");

    run.stage(Stage::Assign, last).await;
    storage.verify(&path, &recorded().await).await.expect("what was recorded");
    let list: serde_json::Value = serde_json::from_slice(&storage.get(&path).await.expect("a list")).expect("json");
    let leads = list["leads"].as_array().expect("leads");
    assert_eq!((&list["count"], leads.len()), (&40.into(), 40));
    assert!(before.iter().all(|lead| leads.contains(lead)), "as the table of leads has them");
    let mut c = fixture.tools.pool.acquire().await.expect("a connection");
    let all = sector_lists::after(&mut c, "", 10).await.expect("lists");
    assert_eq!(all.len(), 2, "the run's and the day's: {all:?}");
    for (path, digest) in &all {
        storage.verify(path, digest).await.expect("what storage check compares");
    }
}

#[tokio::test]
async fn an_earlier_runs_artifacts_are_read_in_the_order_of_its_history() {
    let fixture = fixture().await;
    let mut run = fixture.import(plumbers(95)).await;
    run.run.options.block_size = 20;
    let all = run.through(Stage::Validate).await;
    record(&fixture, &run, &all[&Stage::Validate]).await;
    for (size, blocks) in [(7, 14), (20, 5), (1_000, 1)] {
        let input = RunInput::Artifacts { run_id: run.run_id, stage: Stage::Validate };
        let mut later = fixture.pipeline(input, run.run.root_input_id.clone());
        later.run.options.block_size = size;
        let read = later.read().await;
        assert_eq!((read.counts().success, read.reports.len()), (95, blocks), "blocks of {size}");
        let mut rows = Vec::new();
        for artifact in read.artifacts("parsed") {
            rows.extend(fixture.leads(artifact).await.into_iter().map(|lead| lead.row));
        }
        assert_eq!(rows, (1..=95).collect::<Vec<_>>());
    }
}

/// Writes the run's history: all blocks completed but the last, which failed half-way and was skipped.
async fn record(fixture: &Fixture, run: &Pipeline<'_>, done: &super::fixture::Done) {
    let mut events: Vec<Event> = Vec::new();
    let last = done.tasks.len() - 1;
    for (n, (block, report)) in done.tasks.iter().zip(&done.reports).enumerate() {
        let (block_id, stage, block_number, report) = (block.block_id, block.stage, 1, report.clone());
        let (provider, started_at_micros, totals) = ("internal".to_owned(), Micros(1), RunTotals::default());
        if n < last {
            let merged = report.counts;
            let completed = BlockCompleted {
                block_id,
                stage,
                block_number,
                attempt: 1,
                provider,
                started_at_micros,
                report,
                merged,
                totals,
            };
            events.push(BlockEvent::Completed(Box::new(completed)).into());
            continue;
        }
        let failure = luci_schema::Failure::new(luci_schema::FailureCode::Internal, "broke");
        let failed = BlockFailed {
            block_id,
            stage,
            block_number,
            attempt: 1,
            provider,
            started_at_micros,
            failure,
            report,
            totals,
            retry_at_micros: None,
        };
        events.push(BlockEvent::Failed(Box::new(failed)).into());
        events.push(BlockEvent::Skipped(BlockSkipped { block_id, stage, block_number, totals }).into());
    }
    let append = Append {
        tenant: fixture.tenant,
        stream: run.run_id.into(),
        expected: Version(0),
        events,
        actor: Actor::System,
        command: CommandId::derive(&["history"]),
        correlation: CorrelationId::generate(),
        causation: None,
        receipt: None,
    };
    fixture.tools.log.append(append).await.expect("appended");
}
