//! The routes of the older platform as its clients call them, and its objects in the store.

mod buckets;
mod migration;
mod objects;
mod properties;
mod uploads;

use std::{net::TcpListener, path::Path};

use luci::process::{ProcessRole, Setup, System as Running};
use luci_schema::RunId;
use metrics_exporter_prometheus::PrometheusBuilder;
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::Value;

use crate::support::{Api, System, check_status, vault};

/// Of a bucket of the older platform.
const PLUMBERS: &str = "datalake/business/ny/sectors/construction-contractors/plumbers/";

/// Five rows: three can become leads.
const ROWS: &str = "Company,First Name,Last Name,Phone,Email,Address,City,State,County\n\
    Acme,Ann,Lee,(212) 555-0101,ann@acme.co,1 Main St,New York,NY,New York County\n\
    Bolt,Bo,Lee,,,2 Main St,Albany,NY,\n\
    Core,,,12,,,,,\n\
    ,,,2125550103,,,,,\n\
    Dyn,Di,Ray,,di@dyn.co,,Newark,New Jersey,\n";

fn csv(text: &str) -> Part {
    Part::text(text.to_owned()).file_name("NY Businesses (1).csv").mime_str("text/csv").expect("a type")
}

/// Sends a form, as `fetch` with `FormData` does.
async fn send(api: &Api, path: &str, form: Form) -> (u16, Value) {
    answer(path, api.request(Method::POST, path).multipart(form)).await
}

/// The same under an `Idempotency-Key`.
async fn send_once(api: &Api, path: &str, form: Form, key: &str) -> (u16, Value) {
    answer(path, api.request(Method::POST, path).multipart(form).header("idempotency-key", key)).await
}

async fn answer(path: &str, request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.expect("an answer");
    let status = response.status();
    check_status(&Method::POST, path, status);
    (status.as_u16(), response.json().await.expect("JSON"))
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

fn fields(problem: &Value) -> Vec<&str> {
    problem["errors"].as_array().into_iter().flatten().filter_map(|error| error["field"].as_str()).collect()
}

/// Writes an object of the older platform.
fn put_old(objects: &Path, key: &str, content: &[u8]) {
    let path = objects.join(key);
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("made");
    std::fs::write(path, content).expect("written");
}

/// A second gateway of the system, with `LUCI_LEGACY_TENANT` set to the system's tenant; both keys work there.
async fn gateway_of_owner(system: &System) -> (String, Running) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let setup = Setup {
        database_url: system.database.url().to_owned().into(),
        broker: system.nats.access(),
        evt: Default::default(),
        storage: system.storage.clone(),
        vault: vault(),
        sealing: None,
        providers: Default::default(),
        senders: Default::default(),
        listener: Some(listener),
        monitor: None,
        instance: RunId::generate().to_string(),
        roles: vec![ProcessRole::Gateway],
        workers: Default::default(),
        sender: Default::default(),
        gateway: luci_gateway::Options { legacy_tenant: Some(system.tenant), ..Default::default() },
        metrics: PrometheusBuilder::new().build_recorder().handle(),
    };
    (url, Running::start(setup).await.expect("a gateway"))
}

async fn count(system: &System, statement: &'static str) -> i64 {
    sqlx::query_scalar(statement).fetch_one(&system.database.pool().await).await.expect("counted")
}
