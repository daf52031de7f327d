//! Lists of runs: every page of every sort, every filter, and an index for each.

use std::collections::BTreeSet;

use luci_projections::{
    QuestionError, RunStatus,
    runs::{self, DateField, RunFilter, RunSort},
};
use luci_schema::{RunId, TenantId};
use time::OffsetDateTime;

use super::{
    fixture::{Fixture, fixture},
    history::{History, queued},
};

/// Runs that a list counts, and sorts without an index, at most.
const MOST: u32 = 10_001;

/// Inserts rows directly, so that a test need not append a million events to fill a list.
async fn fill(fixture: &Fixture, tenant: TenantId, runs: i32) {
    let admin = fixture.database.pool().await;
    sqlx::query(
        "insert into pipeline_runs (run_id, tenant_id, pipeline_name, sector_name, sector_id, blueprint_id, blueprint_version, status,
           progress, total_leads, processed_leads, created_at, started_at, completed_at, triggered_by, trigger_type,
           correlation_id, cost_micros, active_runs, blocks, stages, version, position)
         select 'run_01' || lpad(translate(n::text, '', ''), 24, '0'), $1, 'Pipeline ' || n % 100, 'Sector ' || n % 1000,
           'sector_01' || lpad((n % 50)::text, 24, '0'), 'bp_01' || lpad('1', 24, '0'), 1,
           case when n % 1000 = 0 then 'failed' when n % 10 = 0 then 'running' else 'completed' end, n % 101, n, n,
           to_timestamp(1700000000 + n), to_timestamp(1700000000 + n + n % 60),
           case when n % 10 = 0 and n % 1000 > 0 then null else to_timestamp(1700000000 + n + 100) end,
           'system', 'manual', 'corr_01' || lpad('1', 24, '0'), n, 4, 0, '[]', 1, n
         from generate_series(1, $2) n",
    )
    .bind(tenant)
    .bind(runs)
    .execute(&admin)
    .await
    .expect("filled");
    sqlx::query("insert into run_counters select tenant_id, status, count(*) from pipeline_runs where tenant_id = $1 group by 1, 2")
        .bind(tenant)
        .execute(&admin)
        .await
        .expect("counted");
    sqlx::raw_sql("vacuum analyze read_a.pipeline_runs").execute(&admin).await.expect("analysed");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_every_sort_hold_each_run_once() {
    let fixture = fixture().await;
    let tenant = TenantId::generate();
    // Letters whose case programs and locales change differently.
    let words = ["Run", "Österreich", "ÉCLAIR", "İzmir", "ΣΊΣΥΦΟΣ", "ǅ"];
    for (n, word) in (0..23).zip(words.iter().cycle()) {
        let name = format!("{word} {}", n % 3);
        let mut run = if n % 4 == 0 {
            History::queued(tenant, queued(&name, 250, 250))
        } else {
            History::completed(tenant, &name, 250 * (n % 5 + 1), 250)
        };
        run.append_to(&fixture.log).await;
    }
    fixture.caught_up().await;
    let mut tx = fixture.reading(tenant).await;
    for sort in ["created", "started", "completed", "status", "sector", "name", "progress", "totalLeads", "cost"] {
        for prefix in ["", "-"] {
            let sort: RunSort = format!("{prefix}{sort}").parse().expect("a sort");
            let mut filter = RunFilter { sort, limit: 5, ..RunFilter::default() };
            let mut seen = BTreeSet::new();
            loop {
                let page = runs::list(&mut tx, tenant, &filter).await.expect("a page");
                assert_eq!(page.total, 23);
                for run in &page.runs {
                    assert!(seen.insert(run.run_id), "{sort:?}: {} twice", run.run_id);
                }
                filter.cursor = page.next_cursor;
                if !page.has_more {
                    break;
                }
            }
            assert_eq!(seen.len(), 23, "{sort:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_filter_finds_its_runs() {
    let fixture = fixture().await;
    let tenant = TenantId::generate();
    let mut waiting = History::queued(tenant, queued("Waiting one", 250, 250));
    waiting.append_to(&fixture.log).await;
    let mut done = History::completed(tenant, "Done one", 250, 250);
    done.append_to(&fixture.log).await;
    let mut gone = History::completed(tenant, "Gone one", 250, 250);
    gone.issue(luci_runs::core::RunCommand::Delete);
    gone.append_to(&fixture.log).await;
    fixture.caught_up().await;
    fixture.assert_no_drift().await;
    let mut tx = fixture.reading(tenant).await;

    let id_prefix = done.id.to_string()[..28].to_lowercase();
    let now = luci_schema::Micros::now().date_time();
    let hour = time::Duration::hours(1);
    let by = |q: &str| RunFilter { q: Some(q.into()), ..RunFilter::default() };
    let done_sector = done.run.queued().sector_id.as_slice();
    let cases: Vec<(RunFilter, Vec<RunId>)> = vec![
        (RunFilter::default(), vec![done.id, waiting.id]),
        (RunFilter { status: vec![RunStatus::Queued], ..RunFilter::default() }, vec![waiting.id]),
        (
            RunFilter { status: vec![RunStatus::Queued, RunStatus::Completed], ..RunFilter::default() },
            vec![done.id, waiting.id],
        ),
        (RunFilter { sector_id: done.run.queued().sector_id, ..RunFilter::default() }, vec![done.id]),
        (RunFilter { exclude_sector_id: done_sector.to_vec(), ..RunFilter::default() }, vec![waiting.id]),
        (
            RunFilter {
                exclude_sector_id: done_sector.to_vec(),
                q: Some("sector of d".into()),
                ..RunFilter::default()
            },
            vec![],
        ),
        (by("done"), vec![done.id]),
        (by("SECTOR OF W"), vec![waiting.id]),
        (by(&id_prefix), vec![done.id]),
        (by("one"), vec![]),
        (RunFilter { from: Some(now - hour), to: Some(now + hour), ..RunFilter::default() }, vec![done.id, waiting.id]),
        (RunFilter { to: Some(now - hour), ..RunFilter::default() }, vec![]),
        (RunFilter { from: Some(now - hour), date_field: DateField::Completed, ..RunFilter::default() }, vec![done.id]),
        (RunFilter { offset: 1, ..RunFilter::default() }, vec![waiting.id]),
    ];
    for (filter, expected) in cases {
        let page = runs::list(&mut tx, tenant, &filter).await.expect("a page");
        let found: Vec<_> = page.runs.iter().map(|run| run.run_id).collect();
        assert_eq!(found, expected, "{filter:?}");
        assert_eq!(page.total, (expected.len() + filter.offset as usize) as u64, "{filter:?}");
    }
    let deleted = runs::get(&mut tx, tenant, gone.id).await.expect("queried").expect("a deleted run is answered");
    assert!(deleted.run.deleted_at.is_some());
    for bad in ["x", "bm9wZQ"] {
        let filter = RunFilter { cursor: Some(bad.into()), ..RunFilter::default() };
        assert!(matches!(runs::list(&mut tx, tenant, &filter).await, Err(QuestionError::Cursor(_))));
    }
    let far = RunFilter { offset: 10_001, ..RunFilter::default() };
    assert!(matches!(runs::list(&mut tx, tenant, &far).await, Err(QuestionError::Offset { .. })));
}

fn every_kind_of_filter() -> Vec<RunFilter> {
    let at = |seconds: i64| OffsetDateTime::from_unix_timestamp(1_700_000_000 + seconds).ok();
    let mut filters: Vec<RunFilter> = ["-created", "started", "-completed", "status", "sector", "-name"]
        .iter()
        .map(|sort| RunFilter { sort: sort.parse().expect("a sort"), ..RunFilter::default() })
        .collect();
    filters.extend([
        RunFilter { status: vec![RunStatus::Failed], ..RunFilter::default() },
        RunFilter { status: vec![RunStatus::Running], ..RunFilter::default() },
        RunFilter { status: vec![RunStatus::Failed, RunStatus::Running], ..RunFilter::default() },
        RunFilter { sector_id: format!("sector_01{:024}", 7).parse().ok(), ..RunFilter::default() },
        RunFilter { q: Some("pipeline 42".into()), ..RunFilter::default() },
        RunFilter { q: Some("sector 999".into()), ..RunFilter::default() },
        RunFilter { q: Some(format!("run_01{:020}", 12)), ..RunFilter::default() },
        RunFilter { q: Some("pipeline".into()), ..RunFilter::default() },
        RunFilter { from: at(100), to: at(200), ..RunFilter::default() },
        RunFilter { from: at(100), to: at(9_000), date_field: DateField::Completed, ..RunFilter::default() },
    ]);
    filters
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_uses_an_index_under_row_security() {
    let fixture = fixture().await;
    let tenant = TenantId::generate();
    fill(&fixture, tenant, 20_000).await;
    fill_others(&fixture).await;
    let mut tx = fixture.reading(tenant).await;
    for filter in every_kind_of_filter() {
        let plans = runs::explain(&mut tx, tenant, &filter).await.expect("explained");
        for plan in plans {
            assert!(!plan.contains("Seq Scan"), "{filter:?}\n{plan}");
            assert!(plan.contains("Index Cond: "), "{filter:?}\n{plan}");
            for line in plan.lines().map(str::trim) {
                let of_tenant = !line.starts_with("Index Cond: ") || line.contains("(tenant_id = ");
                assert!(of_tenant, "reads other tenants' runs: {filter:?}\n{plan}");
                if line.starts_with("->  Sort ") {
                    let narrowed = filter.q.is_some() || filter.from.is_some();
                    assert!(narrowed && rows(line) <= MOST, "sorts all runs: {filter:?}\n{plan}");
                }
            }
        }
    }
}

/// The planner's estimate in a line of a plan.
fn rows(line: &str) -> u32 {
    let (_, rest) = line.split_once(" rows=").expect("an estimate");
    rest.split(' ').next().and_then(|rows| rows.parse().ok()).expect("a number")
}

/// Other tenants' runs: a scan of an index that does not begin with the tenant would read them.
async fn fill_others(fixture: &Fixture) {
    let admin = fixture.database.pool().await;
    sqlx::raw_sql(
        "insert into read_a.pipeline_runs (run_id, tenant_id, pipeline_name, blueprint_id, blueprint_version, status, progress, total_leads,
           processed_leads, created_at, triggered_by, trigger_type, correlation_id, cost_micros, active_runs, blocks, stages, version, position)
         select 'run_02' || lpad(n::text, 24, '0'), 'tenant_of_others', 'Pipeline ' || n % 100, 'bp', 1, 'completed', 1, 1, 1,
           to_timestamp(1700000000 + n), 'system', 'manual', 'corr', 0, 4, 0, '[]', 1, n
         from generate_series(1, 20000) n; analyze read_a.pipeline_runs",
    )
    .execute(&admin)
    .await
    .expect("filled");
}
