//! Costs are sums over runs and stages within a time range, of one tenant.

use std::collections::BTreeMap;

use luci_projections::costs;
use luci_runs::core::RunCommand;
use luci_schema::{Micros, Stage, TenantId};

use super::{fixture::fixture, history::History};

#[tokio::test(flavor = "multi_thread")]
async fn costs_are_those_of_the_range_with_deleted_runs() {
    let fixture = fixture().await;
    let tenant = TenantId::generate();
    for leads in [250, 500] {
        History::completed(tenant, "run", leads, 250).append_to(&fixture.log).await;
    }
    let mut deleted = History::completed(tenant, "deleted", 1_000, 250);
    deleted.issue(RunCommand::Delete);
    deleted.append_to(&fixture.log).await;
    History::completed(TenantId::generate(), "other", 250, 250).append_to(&fixture.log).await;
    fixture.caught_up().await;

    let mut tx = fixture.reading(tenant).await;
    let now = Micros::now().date_time();
    let hour = time::Duration::hours(1);
    let found = costs::of_tenant(&mut tx, tenant, now - hour, now + hour).await.expect("queried");
    // 40 micro-dollars a lead, see `History`.
    assert_eq!((found.runs, found.cost_micros), (3, 1_750 * 40));
    assert_eq!(found.stages, BTreeMap::from([(Stage::Enrich, 1_750 * 40)]));
    let before = costs::of_tenant(&mut tx, tenant, now - hour * 2, now - hour).await.expect("queried");
    assert_eq!((before.runs, before.cost_micros, before.stages.len()), (0, 0, 0));
}
