//! kill -9 of an engine with waiting blocks: answers are accepted meanwhile, and the next engine waits for the rest.

use std::process::Child;

use luci::process::ProcessRole;
use serde_json::json;

use super::fixture::{BATCHES, PRICE, calls, held, matches, metric, paid, post_all, sandbox, start, system_at, traced};
use crate::support::{self, SystemOptions};

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_killed_while_waiting_submits_nothing_again() {
    let sandbox = sandbox().await;
    let roles = vec![ProcessRole::Gateway, ProcessRole::Projections, ProcessRole::Relay, ProcessRole::Clock];
    let system = system_at(&sandbox, SystemOptions { roles, ..SystemOptions::default() }).await;
    let engine = async || -> Child {
        let variables = vec![
            ("LUCI_DATABASE_URL", system.database.url().to_owned()),
            ("LUCI_NATS_URL", system.nats.url().to_owned()),
            ("LUCI_STORE_URL", format!("file://{}", system.objects.display())),
            ("LUCI_MASTER_KEY", support::MASTER_KEY.to_owned()),
            ("LUCI_PUBLIC_URL", system.api.url.clone()),
            ("LUCI_REALESTATE_URL", sandbox.url()),
            ("LUCI_REALESTATE_KEY", sandbox.key().to_owned()),
        ];
        support::process(&["serve", "engine"], variables).await
    };
    sandbox.hold_posts();
    let run = start(&system.api, 40, 20, json!({"mode": "webhook"})).await;
    let mut first = engine().await;
    let posts = held(&sandbox, 42).await;
    first.kill().expect("it ran");
    first.wait().expect("it ended");
    // While no engine runs, one batch is answered whole and the other in part.
    let (early, late) = posts.split_at(30);
    post_all(&sandbox, early).await;
    let mut second = engine().await;
    let again = |detail: &serde_json::Value| traced(detail).iter().any(|block| block["attempt"] == 2);
    system.api.run_when(&run, again).await;
    post_all(&sandbox, late).await;
    let ended = system.api.run_ended(&run).await;
    second.kill().expect("it ran");
    second.wait().expect("it ended");
    assert_eq!(ended["run"]["status"], "completed", "{ended:#}");
    assert_eq!(metric(&ended, "successCount") + metric(&ended, "noMatchCount"), 40);
    assert_eq!((calls(&sandbox, BATCHES), sandbox.ledger().asked_twice()), (2, vec![]));
    assert_eq!(ended["run"]["costMicros"], json!(matches(&posts) * PRICE));
    assert_eq!(paid(&system).await, (matches(&posts) * PRICE, 0));
}
