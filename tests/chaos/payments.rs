//! Payments: what the sandbox providers billed, against what is stored and what the runs say.

use sqlx::{Connection, PgConnection};

use super::{cluster::Cluster, work::Summary};

/// Of a match, at both providers.
const PRICE: u64 = 100_000;

pub async fn check(cluster: &Cluster, summary: &Summary) -> Result<String, String> {
    let ledger = cluster.sandbox.ledger();
    let billed = ledger.billed * PRICE;
    let mut owner = PgConnection::connect(&cluster.database_url).await.map_err(|error| error.to_string())?;
    let sql = "select coalesce(sum(price_micros * tries), 0)::bigint from provider_calls";
    let open: i64 = sqlx::query_scalar(sql).fetch_one(&mut owner).await.map_err(|error| error.to_string())?;
    let open = open.unsigned_abs();
    let sql = "select coalesce(sum(cost_micros), 0)::bigint, coalesce(sum(paid_again_micros), 0)::bigint from provider_results";
    let (stored, again): (i64, i64) =
        sqlx::query_as(sql).fetch_one(&mut owner).await.map_err(|error| error.to_string())?;
    let (stored, again) = (stored.unsigned_abs(), again.unsigned_abs());
    let runs: u64 = summary.runs.iter().map(|run| run.detail["run"]["costMicros"].as_u64().unwrap_or_default()).sum();
    let percent = (billed as f64 - stored as f64) * 100.0 / stored.max(1) as f64;
    let found = format!(
        "billed {billed} micro-dollars, {percent:.2} % above the answers' {stored}; counted as paid again {again}, cut off and not \
         asked again {open}; runs say {runs}"
    );
    // A request that was recorded and then cut off may or may not have been billed: what is counted is never too little.
    if (stored..=stored + again + open).contains(&billed) { Ok(found) } else { Err(found) }
}
