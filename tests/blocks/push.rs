//! PUSH: who is queued for what, who is not and why, and nobody twice.

use luci_engine::book::suppressions::{self, Kind, Reason};
use luci_schema::Stage;
use serde_json::json;

use super::ground::{Done, Ground, Pipeline, ground};

const CSV: &str = "Company,First Name,Phone,Cell,Title,Email\n\
Mobile,Ann,,9175550101,Owner,\n\
Landline,Bob,2125550102,,,\n\
No Phone,Cid,,,,cid@x.co\n\
Opted Out,Dee,,9175550104,,\n\
Half,Eve,2125550105,9175550105,,\n\
Gone,Fay,,9175550106,,\n";

async fn pushed(run: &Pipeline<'_>) -> Done {
    run.through(Stage::Push).await.remove(&Stage::Push).expect("pushed")
}

async fn suppress(ground: &Ground, number: &str) {
    let mut c = ground.tools.pool.acquire().await.expect("a connection");
    suppressions::add(&mut c, ground.tenant, Kind::Phone, number, Reason::OptOut, None).await.expect("suppressed");
}

/// The run without the stages that ask outside.
fn inside(mut run: Pipeline<'_>) -> Pipeline<'_> {
    run.run.stages.retain(|spec| !matches!(spec.stage, Stage::Enrich | Stage::SkipTrace));
    run
}

#[tokio::test]
async fn each_lead_is_queued_once_or_skipped_with_a_reason() {
    let ground = ground().await;
    suppress(&ground, "+19175550104").await;
    suppress(&ground, "+19175550105").await;
    let run = inside(ground.import(CSV).await);
    let validated = run.through(Stage::Validate).await;
    assert_eq!(validated[&Stage::Validate].warnings()["suppressed"], 2);
    sqlx::query("update leads set status = 'dnc' where company_name = 'Gone'")
        .execute(&ground.pool)
        .await
        .expect("dnc");

    let done = pushed(&run).await;
    assert_eq!((done.counts().success, done.counts().skipped), (3, 3));
    assert_eq!((done.reasons()["no_phone"], done.reasons()["suppressed"]), (1, 2));
    let texts: Vec<(String, String, String, i16)> =
        sqlx::query_as("select to_number, body, status, priority from sms_queue")
            .fetch_all(&ground.pool)
            .await
            .expect("rows");
    assert_eq!(texts.len(), 1, "mobiles only, and the suppressed one not");
    assert_eq!((texts[0].0.as_str(), texts[0].2.as_str(), texts[0].3), ("+19175550101", "draft", 7));
    assert!(texts[0].1.starts_with("Hi Ann,") && texts[0].1.contains("STOP"), "{}", texts[0].1);
    let calls: Vec<String> = sqlx::query_scalar("select phone from dialer_queue order by phone")
        .fetch_all(&ground.pool)
        .await
        .expect("rows");
    assert_eq!(calls, ["+12125550102", "+12125550105", "+19175550101"]);
    assert_eq!(
        ground.count("select count(*) from attempt_logs where channel = 'call' and not approval_required").await,
        3
    );
    assert_eq!(ground.count("select count(*) from attempt_logs where channel = 'sms' and approval_required").await, 1);
}

#[tokio::test]
async fn a_replay_of_the_lineage_queues_nobody_again_but_another_campaign_does() {
    let ground = ground().await;
    let run = inside(ground.import(CSV).await);
    assert_eq!(pushed(&run).await.counts().success, 5);
    let mut replay = inside(ground.pipeline(run.run.input.clone(), run.run.root_input_id.clone()));
    replay.run.root_run_id = run.run.root_run_id;
    let done = pushed(&replay).await;
    assert_eq!((done.counts().success, done.counts().skipped), (0, 6));
    assert_eq!(done.reasons()["already_queued"], 5);
    let other = inside(ground.pipeline(run.run.input.clone(), run.run.root_input_id.clone()));
    assert_eq!(pushed(&other).await.counts().success, 5);
    assert_eq!(ground.count("select max(previous_attempts)::bigint from attempt_logs").await, 2);
    assert_eq!(ground.count("select count(*) from sms_queue").await, 8);
}

#[tokio::test]
async fn channels_mode_and_template_come_from_the_blueprint() {
    let ground = ground().await;
    let mut run = inside(ground.import(CSV).await);
    run.configure(Stage::Push, json!({"channels": ["sms"], "mode": "immediate", "template": "Dear {{name}}"}));
    let done = pushed(&run).await;
    assert_eq!((done.counts().success, done.reasons()["no_phone"]), (4, 2));
    assert_eq!(ground.count("select count(*) from dialer_queue").await, 0);
    let sent = "select count(*) from sms_queue where status = 'pending' and body like 'Dear % Reply STOP to opt out.'";
    assert_eq!(ground.count(sent).await, 4);
}
