//! Reads of a completed run: detail now and in the past, history, verification, artifacts, failed leads, metrics.

use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::{start, whole};

#[tokio::test]
async fn a_finished_run_can_be_read_from_every_side() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let (run, _) = start(api, 30).await;
    let detail = api.run_ended(&run).await;
    assert_eq!(
        (&detail["run"]["status"], &detail["run"]["progress"]),
        (&json!("completed"), &json!(100)),
        "{detail:#}"
    );
    assert_eq!(detail["stages"].as_array().expect("stages").len(), 7);
    let at = |rest: &str| format!("/api/pipelines/{run}/{rest}");

    let (_, blocks) = api.get(&at("blocks?stage=validate")).await;
    assert_eq!(blocks["blocks"][0]["metrics"]["inputCount"], 30);
    let (_, figures) = api.get(&at("metrics")).await;
    assert_eq!(figures["totalLeads"], 30);

    let (_, page) = api.get(&at("events?limit=2")).await;
    assert_eq!((&page["events"][0]["type"], &page["hasMore"]), (&json!("run:queued"), &json!(true)));
    let (_, next) = api.get(&at(&format!("events?after={}", page["events"][1]["position"]))).await;
    assert_eq!(next["events"][0]["version"], 3, "a position is where the next begins");
    let (_, named) = api.get(&at("events?type=run:*")).await;
    let types: Vec<&str> =
        named["events"].as_array().expect("events").iter().filter_map(|e| e["type"].as_str()).collect();
    assert_eq!(types, ["run:queued", "run:started", "run:completed"]);
    let one = page["events"][1]["eventId"].as_str().expect("an id");
    let (status, event) = api.get(&at(&format!("events/{one}"))).await;
    assert_eq!((status.as_u16(), &event["version"]), (200, &json!(2)));

    let (_, verified) = api.get(&at("verify")).await;
    assert_eq!((&verified["intact"], &verified["complete"]), (&json!(true), &json!(true)), "{verified}");
    assert_eq!(verified["checked"], detail["run"]["version"]);

    let (_, then) = api.get(&format!("/api/pipelines/{run}?asOf=v1")).await;
    assert_eq!((&then["run"]["status"], &then["run"]["version"]), (&json!("queued"), &json!(1)));
    let (_, now) = api.get(&format!("/api/pipelines/{run}?asOf=p{}", detail["run"]["position"])).await;
    assert_eq!(now["run"]["processedLeads"], detail["run"]["processedLeads"]);
    assert_eq!(api.get(&format!("/api/pipelines/{run}?asOf=2001-01-01")).await.0, 404, "it did not exist then");
}

#[tokio::test]
async fn an_artifact_is_a_download_or_a_preview() {
    let (system, _sandbox) = whole().await;
    let (run, _) = start(&system.api, 5).await;
    system.api.run_ended(&run).await;
    let (_, page) = system.api.get(&format!("/api/pipelines/{run}/artifacts?type=validated")).await;
    let artifact = &page["artifacts"][0];
    let path = format!("/api/pipelines/{run}/artifacts/{}", artifact["artifactId"].as_str().expect("an id"));
    let (status, preview) = system.api.get(&format!("{path}?preview&limit=2")).await;
    assert_eq!(status, 200, "{preview}");
    assert_eq!((&preview["shown"], &preview["leads"], &preview["hasMore"]), (&json!(2), &json!(5), &json!(true)));
    let plain = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let moved = plain.get(format!("{}{path}", system.api.url)).bearer_auth(&system.api.key).send().await.expect("one");
    assert_eq!(moved.status(), 302);
    let location = moved.headers()["location"].to_str().expect("text").to_owned();
    // The presigned address needs no key, and works only unchanged.
    let object = reqwest::get(&location).await.expect("an answer");
    assert_eq!(object.status(), 200);
    assert!(object.headers()["content-disposition"].to_str().expect("text").starts_with("attachment"));
    let body = object.bytes().await.expect("bytes");
    assert_eq!(artifact["checksum"], hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&body)));
    let forged = location.replace("exp=", "exp=9");
    assert_eq!(reqwest::get(forged).await.expect("an answer").status(), 403);
}

#[tokio::test]
async fn a_read_that_cannot_wait_for_its_position_says_so() {
    let system = super::fixture::still().await;
    let request = system.api.request(Method::GET, "/api/pipelines").header("luci-min-position", 1_000_000);
    let begun = std::time::Instant::now();
    let response = request.send().await.expect("an answer");
    assert!(response.headers().contains_key("luci-position"));
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["stale"], true);
    assert!(begun.elapsed() < std::time::Duration::from_secs(5), "the wait is bounded");
}
