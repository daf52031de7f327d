//! The work of the cluster: files are imported, and runs are started, paused, cancelled, retried and replayed, through whichever
//! gateway answers.

use std::{collections::BTreeMap, time::Duration};

use luci::cli::demo::sample;
use rand::{Rng, SeedableRng, rngs::StdRng};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tokio::{
    sync::Mutex,
    time::{Instant, sleep, timeout},
};

use super::cluster::Cluster;
use crate::{
    sender::fixture::noon,
    support::{Api, DEADLINE},
};

/// A caller gives one request up after this time, and tries the other gateway.
const REQUEST: Duration = Duration::from_secs(15);
/// Runs that are not ended at a time: the machine of a test is small.
const MOST_OPEN: usize = 6;

pub struct Work {
    gateways: Vec<Api>,
    database_url: String,
    seed: u64,
    runs: Mutex<Vec<String>>,
    /// Commands by name that were accepted.
    commands: Mutex<BTreeMap<&'static str, u32>>,
    /// Requests that both gateways left unanswered, or answered with 5xx, before one answered.
    repeated: Mutex<u32>,
    blueprint: String,
}

/// A run at the end.
pub struct EndedRun {
    pub id: String,
    pub detail: Value,
}

/// The runs, and what callers asked for.
pub struct Summary {
    pub runs: Vec<EndedRun>,
    pub commands: BTreeMap<&'static str, u32>,
    pub repeated: u32,
}

impl Work {
    /// A tenant that may send now, and a blueprint with every stage.
    pub async fn prepare(cluster: &Cluster, seed: u64) -> Self {
        let urls = cluster.members.iter().filter_map(|member| member.url());
        let gateways = urls.map(|url| Api::new(url, &cluster.key)).collect();
        let database_url = cluster.database_url.clone();
        let (runs, commands, repeated) = (Mutex::default(), Mutex::default(), Mutex::default());
        let mut work = Self { gateways, database_url, seed, runs, commands, repeated, blueprint: String::new() };
        let window = json!({"timeZone": noon(), "windowFrom": "08:00", "windowTo": "21:00",
            "days": [1, 2, 3, 4, 5, 6, 7], "pauseMs": 0});
        work.must("/api/sending", &window).await;
        for line in 0..4 {
            let number = json!({"number": format!("+1212555010{line}"), "provider": "signalhouse"});
            work.must("/api/sending/numbers", &number).await;
        }
        let push = json!({"channels": ["sms"], "mode": "immediate"});
        let stage = |name: &str| json!({"name": name, "stage": name, "config": if name == "push" { push.clone() } else { json!({}) }});
        let stages = ["import", "validate", "enrich", "skip_trace", "score", "assign", "push"].map(stage);
        let made = work.must("/api/blueprints", &json!({"name": "chaos", "stages": stages})).await;
        work.blueprint = made["blueprintId"].as_str().expect("an id").to_owned();
        work
    }

    async fn must(&self, path: &str, body: &Value) -> Value {
        let until = Instant::now() + DEADLINE;
        let (status, answer) = self.post(path, body, until).await.expect("a gateway answers");
        assert!((200..300).contains(&status), "{path}: {status} {answer}");
        answer
    }

    /// Until `until`: files, commands, and recipients moved to where it is noon, whatever time it is.
    pub async fn run(&self, until: Instant) {
        tokio::join!(self.import_files(until), self.command_runs(until), self.keep_noon(until));
    }

    async fn import_files(&self, until: Instant) {
        let mut random = StdRng::seed_from_u64(self.seed.wrapping_mul(7_919));
        for number in 0.. {
            let (leads, block) = (random.random_range(60..400), random.random_range(20..90));
            let pause = Duration::from_millis(random.random_range(500..4_000));
            if Instant::now() + pause >= until {
                return;
            }
            sleep(pause).await;
            while self.open_runs(until).await.len() >= MOST_OPEN && Instant::now() < until {
                sleep(Duration::from_millis(500)).await;
            }
            let mut csv = Vec::new();
            sample::csv(&mut csv, leads, 1, self.seed.wrapping_mul(100_000) + number).expect("in memory");
            self.start(csv, leads, block, until).await;
        }
    }

    async fn start(&self, csv: Vec<u8>, leads: u64, block: u64, until: Instant) {
        let upload = |api: &Api| {
            let request = api.request(Method::POST, "/api/imports?fileName=chaos.csv");
            request.header("content-type", "text/csv").body(csv.clone())
        };
        let Some((201, import)) = self.answered(upload, until).await else { return };
        let options = json!({"maxLeads": leads, "blockSize": block});
        let body = json!({"importId": import["importId"], "blueprintId": self.blueprint, "options": options});
        if let Some((202, run)) = self.post("/api/pipelines", &body, until).await {
            self.runs.lock().await.extend(run["runId"].as_str().map(str::to_owned));
        }
    }

    async fn command_runs(&self, until: Instant) {
        let mut random = StdRng::seed_from_u64(self.seed.wrapping_mul(104_729));
        while Instant::now() < until {
            sleep(Duration::from_millis(random.random_range(300..2_500))).await;
            let (what, which) = (random.random_range(0..100), random.random_range(0..1_000));
            let runs = self.runs.lock().await.clone();
            // Most that can be done with a run is done while it is open; what is retried or replayed has ended.
            let (newest, name, body) = match what {
                0..25 => (8, "pause", json!({})),
                25..65 => (8, "resume", json!({})),
                65..70 => (8, "cancel", json!({})),
                70..75 => (runs.len(), "retry", json!({})),
                75..88 => (runs.len(), "retry", json!({"fromStage": "skip_trace"})),
                _ => (runs.len(), "replay", json!({})),
            };
            let Some(run) = runs.iter().rev().take(newest).nth(which % newest.clamp(1, runs.len().max(1))) else {
                continue;
            };
            let answer = self.post(&format!("/api/pipelines/{run}/{name}"), &body, until).await;
            let Some((200..=299, answer)) = answer else { continue };
            *self.commands.lock().await.entry(name).or_default() += 1;
            let new = answer["runId"].as_str().filter(|id| *id != run.as_str());
            self.runs.lock().await.extend(new.map(str::to_owned));
        }
    }

    async fn keep_noon(&self, until: Instant) {
        while Instant::now() < until {
            self.noon().await;
            sleep(Duration::from_secs(1)).await;
        }
    }

    /// What is queued goes to places where it is noon. Postgres may be away: then the next time.
    async fn noon(&self) {
        let moved = async {
            let mut owner = PgConnection::connect(&self.database_url).await?;
            let sql =
                "update sms_queue set time_zones = array[$1] where status = 'pending' and time_zones <> array[$1]";
            sqlx::query(sql).bind(noon()).execute(&mut owner).await?;
            owner.close().await
        };
        let _later = timeout(REQUEST, moved).await;
    }

    /// Runs that have not ended, as far as a gateway answers.
    async fn open_runs(&self, until: Instant) -> Vec<(String, String)> {
        let mut open = Vec::new();
        for run in self.runs.lock().await.clone() {
            let status =
                self.detail(&run, until).await.and_then(|detail| Some(detail["run"]["status"].as_str()?.to_owned()));
            let status = status.unwrap_or_else(|| "unknown".to_owned());
            if !["completed", "failed", "cancelled"].contains(&status.as_str()) {
                open.push((run, status));
            }
        }
        open
    }

    async fn detail(&self, run: &str, until: Instant) -> Option<Value> {
        let path = format!("/api/pipelines/{run}");
        let (status, detail) = self.answered(|api| api.request(Method::GET, &path), until).await?;
        (status == 200).then_some(detail)
    }

    async fn post(&self, path: &str, body: &Value, until: Instant) -> Option<(u16, Value)> {
        // One key for all tries: a command whose answer was lost is not executed twice.
        let key = luci_schema::EventId::generate().to_string();
        let request = |api: &Api| api.request(Method::POST, path).header("idempotency-key", &key).json(body);
        self.answered(request, until).await
    }

    /// The answer of whichever gateway gives one below 500; none when `until` and ten seconds have passed.
    async fn answered(
        &self,
        request: impl Fn(&Api) -> reqwest::RequestBuilder,
        until: Instant,
    ) -> Option<(u16, Value)> {
        for api in self.gateways.iter().cycle() {
            let answer = async {
                let response = request(api).timeout(REQUEST).send().await.ok()?;
                let status = response.status().as_u16();
                Some((status, response.json::<Value>().await.ok()?))
            };
            match answer.await {
                Some((status, body)) if status < 500 => return Some((status, body)),
                _ if Instant::now() > until + Duration::from_secs(10) => return None,
                _ => *self.repeated.lock().await += 1,
            }
            sleep(Duration::from_millis(100)).await;
        }
        None
    }

    /// Resumes what is paused until every run has ended and every message is settled; returns those that did not in time.
    pub async fn finish(&self, until: Instant) -> Vec<String> {
        loop {
            self.noon().await;
            let open = self.open_runs(until).await;
            for (run, _) in open.iter().filter(|(_, status)| status == "paused") {
                self.post(&format!("/api/pipelines/{run}/resume"), &json!({}), until).await;
            }
            let queued = self.unsettled_messages().await;
            if open.is_empty() && queued == Some(0) {
                return Vec::new();
            }
            if Instant::now() > until {
                let messages = queued.map(|queued| format!("{queued} messages are not settled"));
                let runs = open.into_iter().map(|(run, status)| format!("{run} is {status}"));
                return runs.chain(messages).collect();
            }
            sleep(Duration::from_secs(1)).await;
        }
    }

    async fn unsettled_messages(&self) -> Option<i64> {
        let mut owner = PgConnection::connect(&self.database_url).await.ok()?;
        let sql = "select count(*) from sms_queue where status in ('pending', 'processing')";
        sqlx::query_scalar(sql).fetch_one(&mut owner).await.ok()
    }

    pub async fn summary(&self) -> Summary {
        let (mut runs, until) = (Vec::new(), Instant::now() + DEADLINE);
        for id in self.runs.lock().await.clone() {
            let detail = self.detail(&id, until).await.unwrap_or_default();
            runs.push(EndedRun { id, detail });
        }
        Summary { runs, commands: self.commands.lock().await.clone(), repeated: *self.repeated.lock().await }
    }
}
