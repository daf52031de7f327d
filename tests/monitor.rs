//! A process without the gateway answers probes and Prometheus on an address of its own.

use std::net::TcpListener;

use serde_json::Value;

use crate::support::{SystemOptions, eventually, found, process, system_with};

/// An address that is free now.
fn free() -> String {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_without_gateway_answer_probes_and_prometheus() {
    let system = system_with(SystemOptions { roles: Vec::new(), ..SystemOptions::default() }).await;
    let address = free();
    let mut child = process(
        &["serve", "projections", "relay"],
        vec![
            ("LUCI_DATABASE_URL", system.database.url().to_owned()),
            ("LUCI_NATS_URL", system.nats.url().to_owned()),
            ("LUCI_MASTER_KEY", crate::support::MASTER_KEY.to_owned()),
            ("LUCI_STORE_URL", format!("file://{}", system.objects.display())),
            ("LUCI_PUBLIC_URL", "http://127.0.0.1:1".to_owned()),
            ("LUCI_METRICS_LISTEN", address.clone()),
        ],
    )
    .await;
    let get = async |path: &str| {
        let response = reqwest::get(format!("http://{address}{path}")).await.ok()?;
        Some((response.status().as_u16(), response.text().await.ok()?))
    };
    eventually("it lives", async || get("/healthz").await.is_some_and(|(status, _)| status == 200)).await;
    let ready = found("it is ready, and its roles hold their leases", async || {
        let (status, body) = get("/readyz").await?;
        let body: Value = serde_json::from_str(&body).ok()?;
        let held = |name: &str| {
            let mut followers = body["followers"].as_array().into_iter().flatten();
            followers.any(|follower| follower["name"] == name && follower["held"] == true)
        };
        (status == 200 && held("projector") && held("relay")).then_some(body)
    })
    .await;
    assert_eq!((&ready["postgres"], &ready["nats"], &ready["store"]), (&"up".into(), &"up".into(), &"up".into()));
    let (status, metrics) = get("/metrics").await.expect("an answer");
    assert_eq!(status, 200);
    assert!(metrics.contains("luci_role_up{role=\"projections\"} 1"), "{metrics}");
    for nothing in ["/", "/api/pipelines", "/admin/pipelines"] {
        assert_eq!(get(nothing).await.expect("an answer").0, 404, "{nothing}");
    }
    child.kill().expect("it runs");
    let _ended = child.wait();
}
