//! What only the gateway knows: itself, the clock, followers, providers; and whether its port is free when it does not run.

use std::net::TcpStream;

use super::{Finding, TIMEOUT};
use crate::{
    cli::client::{Api, ApiError},
    config::Config,
};

/// Clocks that differ by more make signatures and leases doubtful.
const MOST_SKEW_MS: i64 = 5_000;

/// What the gateway says of itself, of the clock, of followers, and of the API key.
pub async fn gateway(config: &Config) -> Vec<Finding> {
    let remedy = "start it with `luci up`, or correct LUCI_URL";
    let api = match Api::find(config) {
        Ok(api) => api,
        Err(error) => return vec![Finding::broken("gateway", error.to_string(), remedy), port(config)],
    };
    let system = match api.get("/api/system").await {
        Ok(system) => system,
        Err(error) if error.is::<ApiError>() => {
            let remedy = "use a key that is not revoked: `luci key list` with another, or credentials.json";
            return vec![Finding::broken("API key", error.to_string(), remedy)];
        }
        Err(error) => return vec![Finding::broken("gateway", format!("{error:#}"), remedy), port(config)],
    };
    let word = |name: &str| system[name].as_str().unwrap_or("?").to_owned();
    let state =
        format!("{}: postgres {}, nats {}, store {}", word("status"), word("postgres"), word("nats"), word("store"));
    let mut findings = vec![match system["status"].as_str() {
        Some("ready") if system["nats"] == "up" => Finding::ok("gateway", state),
        _ => Finding::broken("gateway", state, "see the log lines at ERROR, and deploy/docs/runbook.md"),
    }];
    let skew = system["clockSkewMs"].as_i64().unwrap_or_default();
    findings.push(if skew.abs() > MOST_SKEW_MS {
        let remedy = "synchronise the clocks of the gateway and of Postgres (chrony, systemd-timesyncd)";
        Finding::broken("clock", format!("{skew} ms beside Postgres"), remedy)
    } else {
        Finding::ok("clock", format!("{skew} ms beside Postgres"))
    });
    findings.extend(providers(&api).await);
    for follower in system["followers"].as_array().into_iter().flatten() {
        if follower["failing"] == true || follower["held"] == false {
            let found = format!("{} at {}, {} behind", follower["name"], follower["position"], follower["behind"]);
            let remedy = "no process of its role runs, or it fails: see the log lines at ERROR";
            findings.push(Finding::broken("follower", found, remedy));
        }
    }
    findings
}

/// The providers that a run cannot ask, if the key may see them.
async fn providers(api: &Api) -> Option<Finding> {
    let list = api.get("/api/providers").await.ok()?;
    let missing = list["providers"].as_array()?.iter().filter(|provider| provider["configured"] == false);
    let names: Vec<&str> = missing.filter_map(|provider| provider["provider"].as_str()).collect();
    Some(match names.is_empty() {
        true => Finding::ok("provider keys", "every provider has one"),
        false => Finding::note(
            "provider keys",
            format!("none for {}", names.join(", ")),
            "`luci provider set NAME` for those that your blueprints ask",
        ),
    })
}

/// Whether the port of a gateway that does not run is free.
fn port(config: &Config) -> Finding {
    let address = config.listen.unwrap_or_else(|| ([127, 0, 0, 1], 8080).into());
    match TcpStream::connect_timeout(&address, TIMEOUT) {
        Ok(_) => Finding::broken(
            "port",
            format!("another program listens on {address}"),
            "choose another with --listen or LUCI_LISTEN; `luci up` takes a free one by itself unless told",
        ),
        Err(_) => Finding::ok("port", format!("{address} is free")),
    }
}
