//! What must hold after a schedule, check by check.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{cluster::Cluster, evidence, payments, report::Report, work::Work};

/// Runs every check; each adds its line to the report.
pub async fn run(cluster: &Cluster, work: &Work, report: &mut Report) {
    report.check("processes", all_run(cluster).await);
    report.summary = work.summary().await;
    report.check("runs", leads_accounted(report));
    report.check("log", evidence::log(&cluster.database_url).await);
    report.check("EVT", evidence::stream(&cluster.database_url, &*cluster.nats.lock().await).await);
    report.check("read tables", cluster.run(&["audit", "drift"]).await);
    report.check("objects", cluster.run(&["storage", "check"]).await);
    report.check("seals", cluster.run(&["audit", "seals"]).await);
    report.check("sends", sends(cluster).await);
    report.check("payments", payments::check(cluster, &report.summary).await);
}

async fn all_run(cluster: &Cluster) -> Result<String, String> {
    let mut ended = Vec::new();
    for member in &cluster.members {
        if let Some(status) = member.ended().await {
            ended.push(format!("{} ended: {status}", member.name));
        }
    }
    if ended.is_empty() { Ok(format!("{} run", cluster.members.len())) } else { Err(ended.join("; ")) }
}

/// Every run has ended, none has failed, and in a completed run each lead has come out of each stage in one way.
fn leads_accounted(report: &Report) -> Result<String, String> {
    let (mut wrong, mut leads) = (Vec::new(), 0);
    for run in &report.summary.runs {
        let (id, of) = (&run.id, &run.detail["run"]);
        match of["status"].as_str() {
            Some("completed") => {
                leads += of["totalLeads"].as_u64().unwrap_or_default();
                wrong.extend(unbalanced(&run.detail).map(|what| format!("{id}: {what}")));
            }
            Some("cancelled") => {}
            _ => wrong.push(format!("{id} is {}: {}", of["status"], of["error"])),
        }
    }
    if wrong.is_empty() {
        Ok(format!("{leads} leads in completed runs, each accounted for"))
    } else {
        Err(wrong.join("; "))
    }
}

/// The first stage whose counts do not add up.
fn unbalanced(detail: &Value) -> Option<String> {
    let mut expected = detail["run"]["totalLeads"].as_u64()?;
    for stage in detail["stages"].as_array()? {
        let metrics = &stage["metrics"];
        let of = |name: &str| metrics[name].as_u64().unwrap_or_default();
        let out = of("successCount") + of("noMatchCount") + of("skippedCount");
        if of("inputCount") != expected || of("inputCount") != out + of("failedCount") {
            return Some(format!("{} has {metrics}, {expected} leads came in", stage["stage"]));
        }
        expected = out;
    }
    None
}

/// No recipient got the same message twice, and what the carrier took is what is called sent.
async fn sends(cluster: &Cluster) -> Result<String, String> {
    let taken = cluster.carriers.taken();
    let different: BTreeSet<(&str, &str)> = taken.iter().map(|sent| (sent.to.as_str(), sent.body.as_str())).collect();
    let by_status = evidence::messages(&cluster.database_url).await?;
    let of = |status: &str| by_status.get(status).copied().unwrap_or_default();
    let statuses: Vec<String> = by_status.iter().map(|(status, messages)| format!("{messages} {status}")).collect();
    let found = format!("{} taken by the carrier, none twice; {}", taken.len(), statuses.join(", "));
    if different.len() != taken.len() {
        return Err(format!("{} messages were sent twice; {found}", taken.len() - different.len()));
    }
    // A message whose outcome is unknown may have been taken; it waits for a person and is not sent again.
    let sent = of("sent") + of("delivered");
    if sent > taken.len() as u64 || sent + of("failed") < taken.len() as u64 {
        return Err(format!("what is called sent is not what was taken: {found}"));
    }
    Ok(found)
}
