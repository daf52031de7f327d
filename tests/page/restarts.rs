//! LUCI is killed and started again under an open page: the badge tells the truth, and no event is missed.

use std::{net::Ipv4Addr, time::Duration};

use luci_sandbox::{Sandbox, SandboxOptions};
use serde_json::json;

use super::{sign_in, start};
use crate::support::{self, Servers, browser};

const STATE: &str = "document.querySelector('#connection')?.dataset.state";
/// The number on the tab of the events.
const EVENTS: &str = "Number(document.querySelector('[role=tab]:nth-child(3)').innerText.replace(/\\D/g, ''))";

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium; make test runs it"]
async fn a_kill_is_shown_and_no_event_is_missed() {
    // Slow enough that the first kill falls into the run.
    let options = SandboxOptions { delay: Duration::from_millis(100), ..SandboxOptions::default() };
    let sandbox = Sandbox::start((Ipv4Addr::LOCALHOST, 0).into(), options).await.expect("a sandbox");
    let mut variables = Vec::new();
    for (url, key) in [("LUCI_APOLLO_URL", "LUCI_APOLLO_KEY"), ("LUCI_REALESTATE_URL", "LUCI_REALESTATE_KEY")] {
        variables.extend([(url, sandbox.url()), (key, sandbox.key().to_owned())]);
    }
    let mut luci = support::luci_with(Servers::Private, variables).await;
    let (api, mut browser) = (luci.api(), browser().await);
    browser.open(&format!("{}/admin/pipelines", api.url)).await;
    sign_in(&mut browser, &api.key).await;
    let run = start(&api, 240, json!({"blockSize": 10, "window": 4})).await;
    browser.open(&format!("{}/admin/pipelines/{run}", api.url)).await;
    for _ in 0..2 {
        browser.until(&format!("{STATE} === 'live' && {EVENTS} > 5")).await;
        luci.kill().await;
        browser.until(&format!("['reconnecting', 'offline'].includes({STATE})")).await;
        luci.start().await;
        assert_eq!(luci.api().url, api.url, "the same address");
    }
    let ended = api.run_ended(&run).await;
    assert_eq!(ended["run"]["status"], "completed", "{:#}", ended["run"]);
    let version = ended["run"]["version"].as_u64().expect("a version");
    browser.until(&format!("{STATE} === 'live' && {EVENTS} === {version}")).await;
    let states = "[...document.querySelectorAll('[data-stage]')].map((stage) => stage.dataset.state).join()";
    browser.until(&format!("{states} === Array(7).fill('completed').join()")).await;
    luci.stop().await;
    sandbox.stop().await;
}
