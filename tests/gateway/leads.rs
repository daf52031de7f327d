//! Leads: pages without gap or repetition, one in full, and its status.

use serde_json::{Value, json};

use super::fixture::{start, whole};
use crate::support::Api;

async fn patch(api: &Api, id: &str, status: &str) -> (u16, Value) {
    let request = api.request(reqwest::Method::PATCH, &format!("/api/leads/{id}")).json(&json!({"status": status}));
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}

fn ids(page: &Value) -> Vec<String> {
    let leads = page["leads"].as_array().expect("leads");
    leads.iter().map(|lead| lead["leadId"].as_str().expect("an id").to_owned()).collect()
}

#[tokio::test]
async fn leads_are_listed_in_pages_and_shown_in_full() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let (run, _) = start(api, 12).await;
    let detail = api.run_ended(&run).await;
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = api.get(&format!("/api/leads?limit=5{cursor}")).await;
        assert_eq!(status, 200, "{page}");
        seen.extend(ids(&page));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(seen.len() == 12 && seen.windows(2).all(|pair| pair[0] > pair[1]), "{seen:?}");
    let (_, lead) = api.get(&format!("/api/leads/{}", seen[0])).await;
    assert_eq!((&lead["status"], &lead["rootInputId"].is_string()), (&json!("new"), &true));
    assert_eq!(lead["lead"]["leadId"], seen[0].as_str());
    let (_, page) = api.get("/api/leads").await;
    let enriched = page["leads"].as_array().expect("leads").iter().filter(|l| l["enrichmentStatus"] == "completed");
    assert_eq!(json!(enriched.count()), detail["stages"][2]["metrics"]["successCount"], "apollo knew so many");
    let mut named = 0;
    for id in &seen {
        let (_, lead) = api.get(&format!("/api/leads/{id}")).await;
        named += lead["contacts"].as_array().expect("contacts").iter().filter(|c| c["source"] == "apollo").count();
    }
    assert_eq!(json!(named), detail["stages"][2]["metrics"]["successCount"], "one contact each");
    for (query, field) in [("status=hot", "status"), ("minScore=101", "minScore"), ("cursor=x", "cursor")] {
        let (status, problem) = api.get(&format!("/api/leads?{query}")).await;
        assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
}

#[tokio::test]
async fn a_lead_s_status_only_advances_and_dnc_is_final() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let (run, _) = start(api, 3).await;
    api.run_ended(&run).await;
    let all = ids(&api.get("/api/leads").await.1);
    assert_eq!(patch(api, &all[0], "qualified").await.0, 202);
    assert_eq!(patch(api, &all[0], "qualified").await.0, 202, "in effect already");
    let (status, problem) = patch(api, &all[0], "contacted").await;
    assert_eq!((status, &problem["leadStatus"]), (409, &json!("qualified")), "{problem}");
    assert_eq!(patch(api, &all[0], "dnc").await.0, 202);
    assert_eq!(patch(api, &all[0], "converted").await.0, 409);
    assert_eq!(patch(api, &all[1], "hot").await.0, 422);
    assert_eq!(ids(&api.get("/api/leads?status=dnc").await.1), [all[0].clone()]);
    let events: i64 = sqlx::query_scalar("select count(*) from log.events where event_type = 'lead:updated'")
        .fetch_one(&system.database.pool().await)
        .await
        .expect("a count");
    assert_eq!(events, 2);
    let (_, again) = api.post(&format!("/api/pipelines/{run}/replay"), &json!({})).await;
    api.run_ended(again["runId"].as_str().expect("an id")).await;
    let (_, lead) = api.get(&format!("/api/leads/{}", all[0])).await;
    assert_eq!(lead["status"], "dnc", "no run takes it back");
}
