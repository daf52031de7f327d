//! A run of the past is the same fold, over fewer events.

use luci_projections::{RunStatus, runs};
use luci_schema::TenantId;

use super::{fixture::fixture, history::History};

#[tokio::test(flavor = "multi_thread")]
async fn all_events_give_the_present_run() {
    let fixture = fixture().await;
    let tenant = TenantId::generate();
    let mut run = History::completed(tenant, "past", 1_000, 250);
    run.append_to(&fixture.log).await;
    fixture.caught_up().await;
    let mut tx = fixture.reading(tenant).await;
    let now = runs::get(&mut tx, tenant, run.id).await.expect("queried").expect("found");
    let events = fixture.log.read_stream(tenant, run.id.into(), luci_schema::Version(0), 1_000).await.expect("read");
    let past = runs::as_of(&events).expect("folded").expect("there are events");
    assert_eq!(now, past);
}

#[test]
fn every_version_gives_a_run() {
    let run = History::completed(TenantId::generate(), "past", 500, 250);
    let events = run.recorded(0);
    assert!(runs::as_of(&events[..0]).expect("folded").is_none());
    let mut progress = 0;
    for version in 1..=events.len() {
        let past = runs::as_of(&events[..version]).expect("folded").expect("a run");
        assert_eq!(past.run.version, i64::try_from(version).expect("small"));
        assert!(past.run.progress >= progress);
        assert!(past.run.progress < 100 || past.run.status == RunStatus::Completed);
        progress = past.run.progress;
    }
    assert_eq!(progress, 100);
}
