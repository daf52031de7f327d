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

#[tokio::test]
async fn a_download_answers_ranges_and_conditions_as_s3_does() {
    let (system, _sandbox) = whole().await;
    let (run, _) = start(&system.api, 40).await;
    system.api.run_ended(&run).await;
    let (_, page) = system.api.get(&format!("/api/pipelines/{run}/artifacts?type=validated")).await;
    let artifact = &page["artifacts"][0];
    let path = format!("/api/pipelines/{run}/artifacts/{}", artifact["artifactId"].as_str().expect("an id"));
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let redirect = http.get(format!("{}{path}", system.api.url)).bearer_auth(&system.api.key).send().await;
    let url = redirect.expect("an answer").headers()["location"].to_str().expect("a URL").to_owned();
    let expires: i64 = reqwest::Url::parse(&url)
        .expect("a URL")
        .query_pairs()
        .find_map(|(name, value)| (name == "exp").then(|| value.parse().expect("seconds")))
        .expect("an expiry");
    let left = expires - luci_schema::Micros::now().seconds();
    assert!((23 * 3_600..=24 * 3_600).contains(&left), "a download is valid for a day: {left} s");

    let get = async |headers: &[(&str, &str)]| {
        let mut request = http.get(&url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.expect("an answer");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        (status, headers, response.bytes().await.expect("a body"))
    };
    let (status, headers, whole) = get(&[]).await;
    assert_eq!((status, whole.len()), (200, artifact["sizeBytes"].as_u64().expect("bytes") as usize));
    let header = |name: &str| headers[name].to_str().expect("text").to_owned();
    let (tag, modified) = (header("etag"), header("last-modified"));
    assert_eq!(header("accept-ranges"), "bytes");

    let (status, part, bytes) = get(&[("range", "bytes=10-19")]).await;
    assert_eq!((status, &bytes[..]), (206, &whole[10..20]));
    assert_eq!(part["content-range"], format!("bytes 10-19/{}", whole.len()));
    assert_eq!((&part["content-length"], &part["etag"]), (&"10".parse().expect("one"), &tag.parse().expect("one")));
    let (status, _, bytes) = get(&[("range", "bytes=-5"), ("if-range", &tag)]).await;
    assert_eq!((status, &bytes[..]), (206, &whole[whole.len() - 5..]));
    let (status, _, bytes) = get(&[("range", "bytes=-5"), ("if-range", "\"another\"")]).await;
    assert_eq!((status, bytes.len()), (200, whole.len()));
    let (status, outside, _) = get(&[("range", "bytes=99999999-")]).await;
    assert_eq!((status, &outside["content-range"]), (416, &format!("bytes */{}", whole.len()).parse().expect("one")));
    for (condition, value, expected) in [
        ("if-none-match", tag.as_str(), 304),
        ("if-none-match", "\"another\"", 200),
        ("if-modified-since", modified.as_str(), 304),
        ("if-match", "\"another\"", 412),
        ("if-match", tag.as_str(), 200),
    ] {
        let (status, headers, bytes) = get(&[(condition, value)]).await;
        assert_eq!((status, bytes.is_empty()), (expected, expected == 304), "{condition}: {value}");
        assert!(expected == 412 || headers["etag"] == tag, "{condition}: {value}");
    }
}
