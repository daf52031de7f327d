//! Sectors: the default set, the tenant's own, and the assignment of leads with its rule.

use serde_json::{Value, json};

use super::fixture::{send_csv, still, whole};
use crate::support::Api;

const FILE: &str = "Company,Phone,State,SIC\n\
Pipes,2125550101,NY,1711\n\
Far Pipes,2125550102,TX,1711\n\
Odd Trade,2125550103,NY,1712\n\
Far Trade,2125550104,TX,1712\n\
No Code,2125550105,NY,\n";

async fn placed(api: &Api, sector: Option<&str>) -> (Value, Vec<(String, Value, Value)>) {
    let (_, import) = send_csv(api, FILE.into()).await;
    let (status, queued) = api
        .post("/api/pipelines", &json!({"importId": import["importId"], "sectorId": sector, "allowRepeat": true}))
        .await;
    assert_eq!(status, 202, "{queued}");
    let detail = api.run_ended(queued["runId"].as_str().expect("an id")).await;
    let (_, page) = api.get("/api/leads").await;
    let mut placed = Vec::new();
    for lead in page["leads"].as_array().expect("leads") {
        let id = lead["leadId"].as_str().expect("an id");
        let (_, lead) = api.get(&format!("/api/leads/{id}")).await;
        let name = lead["companyName"].as_str().expect("a name").to_owned();
        placed.push((name, lead["sectorRule"].clone(), lead["sectorConfidence"].clone()));
    }
    placed.sort_by(|a, b| a.0.cmp(&b.0));
    (detail, placed)
}

#[tokio::test]
async fn a_tenant_begins_with_the_default_set_and_leads_fall_into_it() {
    let (system, _sandbox) = whole().await;
    let api = &system.api;
    let (status, page) = api.get("/api/sectors?limit=500").await;
    assert_eq!((status.as_u16(), page["sectors"].as_array().map(Vec::len)), (200, Some(142)));
    let own = json!({"name": "Pipes of New York", "state": "ny", "sicCodes": ["1711", "17"]});
    let (status, made) = api.post("/api/sectors", &own).await;
    assert_eq!((status.as_u16(), &made["slug"]), (201, &json!("pipes-of-new-york")), "{made}");

    let (detail, rules) = placed(api, None).await;
    let rule = |name: &str, rule: &str, confidence: u8| (name.to_owned(), json!(rule), json!(confidence));
    let expected = [
        rule("Far Pipes", "nation_sic", 90),
        rule("Far Trade", "nation_prefix", 60),
        rule("No Code", "unassigned", 0),
        rule("Odd Trade", "state_prefix", 70),
        rule("Pipes", "state_sic", 100),
    ];
    assert_eq!(rules, expected);
    assert_eq!(detail["stages"][5]["metrics"]["successCount"], 4);
    let slug = "us-construction-contractors-plumbing-hvac";
    let (_, sector) = api.get(&format!("/api/sectors/{slug}")).await;
    assert_eq!((&sector["leads"], &sector["state"]), (&json!(1), &Value::Null));

    // The same people from another file, into a sector that is named by its slug.
    let (detail, rules) = placed(api, Some(slug)).await;
    assert_eq!(detail["run"]["sectorName"], sector["name"]);
    assert!(rules.iter().all(|(_, rule, confidence)| (rule, confidence) == (&json!("run"), &json!(100))), "{rules:?}");
    let (_, sector) = api.get(&format!("/api/sectors/{slug}")).await;
    assert_eq!(sector["leads"], 5);
}

#[tokio::test]
async fn sectors_are_made_and_changed_by_admins_and_wrong_fields_are_named() {
    let system = still().await;
    let api = &system.api;
    let body = json!({"name": "Mine", "slug": "mine", "sicCodes": ["5812"]});
    let (_, first) = api.post_once("/api/sectors", &body, "k").await;
    assert_eq!(api.post_once("/api/sectors", &body, "k").await.1, first, "once");
    for (body, field) in [
        (json!({"name": "Mine", "slug": "mine"}), "slug"),
        (json!({"name": "Mine", "slug": "Not Good"}), "slug"),
        (json!({"name": ""}), "slug"),
        (json!({"name": "x", "state": "ZZ"}), "state"),
        (json!({"name": "x", "sicCodes": ["12345"]}), "sicCodes"),
        (json!({"name": "x", "colour": "red"}), "colour"),
    ] {
        let (status, problem) = api.post("/api/sectors", &body).await;
        assert_eq!((status.as_u16(), &problem["errors"][0]["field"]), (422, &json!(field)), "{problem}");
    }
    let id = first["sectorId"].as_str().expect("an id");
    let patch = |api: &Api, body: Value| {
        let request = api.request(reqwest::Method::PATCH, &format!("/api/sectors/{id}")).json(&body);
        async move {
            let response = request.send().await.expect("an answer");
            (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
        }
    };
    let (status, changed) = patch(api, json!({"state": "NJ", "name": "Ours"})).await;
    assert_eq!((status, &changed["name"], &changed["state"]), (202, &json!("Ours"), &json!("NJ")), "{changed}");
    assert_eq!(changed["sicCodes"], json!(["5812"]), "what is not named stays");
    assert_eq!(patch(api, json!({"state": null})).await.1["state"], Value::Null);
    assert_eq!(patch(api, json!({"state": "ZZ"})).await.0, 422);
    let (_, page) = api.get("/api/sectors?limit=2&state=US").await;
    let slugs = |page: &Value| -> Vec<String> {
        let all = page["sectors"].as_array().expect("sectors");
        all.iter().map(|sector| sector["slug"].as_str().expect("a slug").to_owned()).collect()
    };
    assert_eq!(slugs(&page), ["mine", "us-automotive-body-shops"]);
    let (_, next) =
        api.get(&format!("/api/sectors?limit=1&cursor={}", page["nextCursor"].as_str().expect("one"))).await;
    assert_eq!(slugs(&next), ["us-automotive-car-washes"]);

    let (_, made) = api.post("/api/keys", &json!({"role": "member"})).await;
    let member = Api::new(api.url.clone(), made["key"].as_str().expect("a secret"));
    assert_eq!(member.post("/api/sectors", &json!({"name": "x"})).await.0, 403);
    assert_eq!(patch(&member, json!({"name": "x"})).await.0, 403);
}
