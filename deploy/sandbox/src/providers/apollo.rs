//! Apollo.io: people/match, people/bulk_match (ten at most, answered in order).

use serde_json::{Value, json};

use crate::{
    ledger::Ledger,
    people::{Person, person_key},
    provider::{Answer, Auth, Context, Provider, Request, RequestError, Route},
};

pub static PROVIDER: Provider = Provider {
    name: "apollo",
    account: None,
    auth: Auth::ApiKey,
    routes: &[
        Route::post("/api/v1/people/match", people_match),
        Route::post("/api/v1/people/bulk_match", bulk_match),
        Route::post("/api/v1/organizations/bulk_enrich", companies),
        Route::health("/v1/auth/health", health),
    ],
    lists: &["matches", "organizations"],
};

const IDENTIFIERS: [&str; 7] =
    ["email", "linkedin_url", "first_name", "last_name", "name", "organization_name", "domain"];

fn health(request: &Request, _context: &mut Context) -> Answer {
    Ok(json!({ "healthy": true, "is_logged_in": request.authorised }))
}

fn people_match(request: &Request, context: &mut Context) -> Answer {
    if !request.body.is_object() {
        return Err(RequestError::new(422, "the body is not an object"));
    }
    Ok(json!({ "person": person(&request.body, context.ledger) }))
}

fn bulk_match(request: &Request, context: &mut Context) -> Answer {
    let details = request.body.get("details").and_then(Value::as_array);
    let details = details.ok_or_else(|| RequestError::new(422, "details is required"))?;
    if !(1..=10).contains(&details.len()) || !details.iter().all(Value::is_object) {
        return Err(RequestError::new(422, "details takes 1 to 10 objects"));
    }
    let matches: Vec<Value> = details.iter().map(|detail| person(detail, context.ledger)).collect();
    let found = matches.iter().filter(|person| !person.is_null()).count();
    Ok(json!({
        "status": "success", "error_code": null, "error_message": null,
        "total_requested_enrichments": details.len(), "unique_enriched_records": found,
        "missing_records": details.len() - found, "credits_consumed": found, "matches": matches,
    }))
}

/// E-mail, or LinkedIn, or first and last name with a company or domain.
fn identified(detail: &Value) -> bool {
    let has = |field: &str| detail.get(field).and_then(Value::as_str).is_some_and(|text| !text.trim().is_empty());
    let named = has("name") || (has("first_name") && has("last_name"));
    has("email") || has("linkedin_url") || (named && (has("organization_name") || has("domain")))
}

fn person(detail: &Value, ledger: &mut Ledger) -> Value {
    let key = person_key(detail, &IDENTIFIERS);
    let person = Person::new("apollo", &key);
    let found = identified(detail) && person.found();
    ledger.count("apollo", &key, found);
    if found { document(detail, &person) } else { Value::Null }
}

fn document(detail: &Value, person: &Person) -> Value {
    let input = |field: &str| detail.get(field).cloned().unwrap_or(Value::Null);
    let first = detail.get("first_name").and_then(Value::as_str).unwrap_or_else(|| person.first_name());
    let last = detail.get("last_name").and_then(Value::as_str).unwrap_or("Example");
    let verified = person.draw("verified", 100) < 80;
    let phones = if person.has_phone() && person.draw("reveal", 100) < 40 {
        let number = person.number(0);
        json!([{ "raw_number": number, "sanitized_number": format!("+1{number}"), "status": "valid_number",
                 "type": person.pick("kind", &["mobile", "work_direct", "work_hq"]) }])
    } else {
        json!([])
    };
    json!({
        "id": format!("{:024x}", person.draw("id", u64::MAX)),
        "first_name": first, "last_name": last, "name": format!("{first} {last}"),
        "title": person.pick("title", &["Owner", "President", "Office Manager", "VP Operations", "Foreman"]),
        "seniority": person.pick("title", &["owner", "c_suite", "manager", "vp", "entry"]),
        "departments": ["master_operations"],
        "email": detail.get("email").and_then(Value::as_str).map_or_else(|| person.email(), str::to_owned),
        "email_status": if verified { "verified" } else { "unverified" },
        "personal_emails": [], "phone_numbers": phones,
        "linkedin_url": input("linkedin_url"), "city": "Albany", "state": "New York", "country": "United States",
        "organization": organization(detail, person),
    })
}

fn organization(detail: &Value, person: &Person) -> Value {
    let Some(name) = detail.get("organization_name").and_then(Value::as_str) else { return Value::Null };
    json!({
        "id": format!("{:024x}", person.draw("organization", u64::MAX)), "name": name,
        "website_url": null, "primary_domain": detail.get("domain"), "linkedin_url": null, "phone": null,
        "founded_year": 1960 + person.draw("founded", 60),
        "estimated_num_employees": 1 + person.draw("employees", 300),
        "annual_revenue": 100_000.0 + person.draw("revenue", 20_000_000) as f64,
        "industry": person.pick("industry", &["construction", "automotive", "restaurants", "retail"]),
        "keywords": [], "technologies": [], "city": "Albany", "state": "New York",
    })
}

/// Companies that are not found are left out.
fn companies(request: &Request, context: &mut Context) -> Answer {
    let domains = request.body.get("domains").and_then(Value::as_array).filter(|list| (1..=10).contains(&list.len()));
    let domains = domains.ok_or_else(|| RequestError::new(422, "domains takes 1 to 10 domains"))?;
    let answers = domains.iter().filter_map(Value::as_str).map(|domain| company_of(domain, context.ledger));
    let found: Vec<Value> = answers.filter(|company| !company.is_null()).collect();
    Ok(json!({ "status": "success", "total_requested_domains": domains.len(),
               "unique_enriched_records": found.len(), "organizations": found }))
}

fn company_of(domain: &str, ledger: &mut Ledger) -> Value {
    let company = Person::new("apollo-company", domain);
    ledger.count("apollo", &format!("company|{domain}"), company.found());
    let detail = json!({ "organization_name": domain.split('.').next(), "domain": domain });
    if company.found() { organization(&detail, &company) } else { Value::Null }
}
