//! PUSH: who is queued for which channel, who is skipped and why, and nobody twice.

use luci_leads::store::suppressions::{self, Kind, Reason};
use luci_schema::{
    ImportId, Micros, Stage,
    event::{BlockInput, ObjectDigest},
    object_key::{Day, FileName, ObjectKey, ObjectLocation},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::fixture::{Done, Fixture, Pipeline, fixture, outputs};

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

async fn suppress(fixture: &Fixture, number: &str) {
    let mut c = fixture.tools.pool.acquire().await.expect("a connection");
    suppressions::add(&mut c, fixture.tenant, Kind::Phone, number, Reason::OptOut, None).await.expect("suppressed");
}

/// The run without the stages that call providers.
fn inside(mut run: Pipeline<'_>) -> Pipeline<'_> {
    run.run.stages.retain(|spec| !matches!(spec.stage, Stage::Enrich | Stage::SkipTrace));
    run
}

#[tokio::test]
async fn each_lead_is_queued_once_or_skipped_with_a_reason() {
    let fixture = fixture().await;
    suppress(&fixture, "+19175550104").await;
    suppress(&fixture, "+19175550105").await;
    let run = inside(fixture.import(CSV).await);
    let validated = run.through(Stage::Validate).await;
    assert_eq!(validated[&Stage::Validate].warnings()["suppressed"], 2);
    sqlx::query("update leads set status = 'dnc' where company_name = 'Gone'")
        .execute(&fixture.pool)
        .await
        .expect("dnc");

    let done = pushed(&run).await;
    assert_eq!((done.counts().success, done.counts().skipped), (3, 3));
    assert_eq!((done.reasons()["no_phone"], done.reasons()["suppressed"]), (1, 2));
    let texts: Vec<(String, String, String, i16)> =
        sqlx::query_as("select to_number, body, status, priority from sms_queue")
            .fetch_all(&fixture.pool)
            .await
            .expect("rows");
    assert_eq!(texts.len(), 1, "mobiles only, and the suppressed one not");
    assert_eq!((texts[0].0.as_str(), texts[0].2.as_str(), texts[0].3), ("+19175550101", "draft", 7));
    assert!(texts[0].1.starts_with("Hi Ann,") && texts[0].1.contains("STOP"), "{}", texts[0].1);
    let calls: Vec<String> = sqlx::query_scalar("select phone from dialer_queue order by phone")
        .fetch_all(&fixture.pool)
        .await
        .expect("rows");
    assert_eq!(calls, ["+12125550102", "+12125550105", "+19175550101"]);
    assert_eq!(
        fixture.count("select count(*) from attempt_logs where channel = 'call' and not approval_required").await,
        3
    );
    assert_eq!(fixture.count("select count(*) from attempt_logs where channel = 'sms' and approval_required").await, 1);
}

#[tokio::test]
async fn erasing_a_lead_deletes_its_data_and_queues_nothing_more() {
    let fixture = fixture().await;
    let run = inside(fixture.import(CSV).await);
    let ready = outputs(&run.through(Stage::Assign).await[&Stage::Assign], Stage::Assign);
    let erase = async |company: &str| {
        let erased =
            sqlx::query("delete from leads where company_name = $1").bind(company).execute(&fixture.pool).await;
        assert_eq!(erased.expect("erased").rows_affected(), 1);
    };
    erase("Mobile").await;
    let done = run.stage(Stage::Push, ready).await;
    assert_eq!((done.counts().success, done.reasons()["suppressed"]), (4, 1), "the others are queued all the same");

    let of_half =
        "select (select count(*) from attempt_logs a join leads l on l.id = a.lead_id where company_name = 'Half')
                        + (select count(*) from sms_queue) + (select count(*) from dialer_queue)";
    let before = fixture.count(of_half).await;
    erase("Half").await;
    // Its message, its call and their two attempts are deleted.
    assert_eq!(before - fixture.count(of_half).await, 4);
    let orphans = "select count(*) from attempt_logs a where not exists (select from leads where id = a.lead_id)";
    assert_eq!(fixture.count(orphans).await, 0);
    let keys = "select count(*) from lead_keys k where not exists (select from leads where id = k.lead_id)";
    assert_eq!(fixture.count(keys).await, 0, "who comes again is a new lead");
}

#[tokio::test]
async fn a_sector_with_leads_is_not_deleted() {
    let fixture = fixture().await;
    inside(fixture.import(CSV).await).through(Stage::Validate).await;
    let made =
        "insert into sectors (tenant_id, id, slug, name) select tenant_id, 'sector_1', 'one', 'One' from leads limit 1";
    sqlx::query(made).execute(&fixture.pool).await.expect("made");
    sqlx::query("update leads set sector_id = 'sector_1'").execute(&fixture.pool).await.expect("placed");
    let delete = "delete from sectors where id = 'sector_1'";
    let refused = sqlx::query(delete).execute(&fixture.pool).await.expect_err("leads are in it");
    assert_eq!(refused.as_database_error().and_then(|e| e.code()).as_deref(), Some("23503"));
    sqlx::query("update leads set sector_id = null").execute(&fixture.pool).await.expect("taken out");
    assert_eq!(sqlx::query(delete).execute(&fixture.pool).await.expect("deleted").rows_affected(), 1);
}

#[tokio::test]
async fn a_replay_of_the_lineage_queues_nobody_again_but_another_campaign_does() {
    let fixture = fixture().await;
    let run = inside(fixture.import(CSV).await);
    assert_eq!(pushed(&run).await.counts().success, 5);
    let mut replay = inside(fixture.pipeline(run.run.input.clone(), run.run.root_input_id.clone()));
    replay.run.root_run_id = run.run.root_run_id;
    let done = pushed(&replay).await;
    assert_eq!((done.counts().success, done.counts().skipped), (0, 6));
    assert_eq!(done.reasons()["already_queued"], 5);
    let other = inside(fixture.pipeline(run.run.input.clone(), run.run.root_input_id.clone()));
    let same_day = pushed(&other).await;
    assert_eq!(same_day.counts().success, 5, "calls are queued");
    assert_eq!(fixture.count("select count(*) from sms_queue").await, 4, "one first contact a day");
    sqlx::query("update sms_queue set status = 'sent', sent_at = now() - interval '25 hours'")
        .execute(&fixture.pool)
        .await
        .expect("a day later");
    let other = inside(fixture.pipeline(run.run.input.clone(), run.run.root_input_id.clone()));
    assert_eq!(pushed(&other).await.counts().success, 5);
    assert_eq!(fixture.count("select max(previous_attempts)::bigint from attempt_logs").await, 3);
    assert_eq!(fixture.count("select count(*) from sms_queue").await, 8);
}

#[tokio::test]
async fn channels_mode_and_template_come_from_the_blueprint() {
    let fixture = fixture().await;
    let mut run = inside(fixture.import(CSV).await);
    run.configure(Stage::Push, json!({"channels": ["sms"], "mode": "immediate", "template": "Dear {{name}}"}));
    let done = pushed(&run).await;
    assert_eq!((done.counts().success, done.reasons()["no_phone"]), (4, 2));
    assert_eq!(fixture.count("select count(*) from dialer_queue").await, 0);
    let sent = "select count(*) from sms_queue where status = 'pending' and body like 'Dear % Reply STOP to opt out.'";
    assert_eq!(fixture.count(sent).await, 4);
}

#[tokio::test]
async fn an_invalid_setting_fails_the_block_and_is_named() {
    let fixture = fixture().await;
    let mut run = inside(fixture.import(CSV).await);
    run.configure(Stage::Push, json!({"retarget": {"hours": 0}}));
    let before = run.through(Stage::Assign).await;
    let input = super::fixture::outputs(&before[&Stage::Assign], Stage::Assign).remove(0);
    let fault = run.block(&run.queued(Stage::Push, input.clone())).await.expect_err("refused");
    assert!(fault.failure.message.contains("retarget.hours: expected 1 to 8760"), "{}", fault.failure.message);
    run.configure(Stage::Push, json!({"templateId": luci_schema::TemplateId::generate()}));
    let fault = run.block(&run.queued(Stage::Push, input)).await.expect_err("no such template");
    assert_eq!(fault.failure.code, luci_schema::FailureCode::Validation);
    assert!(fault.failure.message.contains("templateId"), "{}", fault.failure.message);
}

#[tokio::test]
async fn a_send_is_recorded_with_everything_that_produced_it() {
    let fixture = fixture().await;
    let csv = "Company,First Name,Cell,State\nAcme,Ann,9175550101,CA\nBolt,Bob,9175550102,\n";
    let mut run = inside(fixture.import(csv).await);
    run.configure(Stage::Push, json!({"context": "book_appointment", "campaignName": "Spring", "agent": "sabrina"}));
    assert_eq!(pushed(&run).await.counts().success, 2);
    type Row = (String, String, i32, i16, Option<String>, String, Option<String>);
    let rows: Vec<Row> = sqlx::query_as(
        "select q.context, q.template_category, q.attempt_number, q.segments, q.template_id, q.agent,
                array_to_string(q.time_zones, ' ')
           from sms_queue q order by q.to_number",
    )
    .fetch_all(&fixture.pool)
    .await
    .expect("rows");
    let zone = Some("America/Los_Angeles America/New_York".to_owned());
    let schedule = Some("schedule_call".to_owned());
    let book = "book_appointment".to_owned();
    assert_eq!(rows[0], (book, "sms_book_appointment".into(), 1, 1, schedule, "sabrina".into(), zone));
    assert_eq!(rows[1].6.as_deref(), Some("America/New_York"), "the area code's, never the tenant's");
    let logged = "select count(*) from attempt_logs where campaign_name = 'Spring' and context = 'book_appointment'
                  and template_category = 'sms_book_appointment' and agent = 'sabrina' and status = 'queued'
                  and scheduled_at is not null and (channel = 'call' or segments = 1)";
    assert_eq!(fixture.count(logged).await, 4);
}

#[tokio::test]
async fn leads_without_an_answer_are_retargeted_and_a_repeated_block_changes_nothing() {
    let fixture = fixture().await;
    let csv = "Company,First Name,Cell\nSilent,Ann,9175550101\nSpoke,Bob,9175550102\nFresh,Cid,9175550103\n";
    let first = inside(fixture.import(csv).await);
    let campaign = first.run_id;
    let again = |context: &str, attempt: u32| {
        let mut run = inside(fixture.pipeline(first.run.input.clone(), first.run.root_input_id.clone()));
        run.run.root_run_id = campaign;
        run.configure(
            Stage::Push,
            json!({"channels": ["sms"], "mode": "immediate", "context": context,
            "attemptNumber": attempt, "retarget": {"threshold": 2}}),
        );
        run
    };
    assert_eq!(pushed(&first).await.counts().success, 3);
    let usual = "select count(*) from attempt_logs
                  where (retarget_threshold, retarget_max, retarget_hours) = (3, 5, 48)";
    assert_eq!(fixture.count(usual).await, 6, "texts and calls");
    assert_eq!(pushed(&again("follow_up", 2)).await.counts().success, 3);
    let own = "select count(*) from attempt_logs where attempt_number = 2 and retarget_threshold = 2";
    assert_eq!(fixture.count(own).await, 3, "what the blueprint says is kept for the sender");
    let too_soon = pushed(&again("retarget", 1)).await;
    assert_eq!(too_soon.reasons()["retarget_too_soon"], 3);
    for sql in [
        "update attempt_logs set created_at = now() - interval '49 hours'",
        "update attempt_logs set contact_made = true where lead_id = (select lead_id from sms_queue where to_number like '%102' limit 1)",
        "update attempt_logs set status = 'failed' where attempt_number = 2 and lead_id = (select lead_id from sms_queue where to_number like '%103' limit 1)",
    ] {
        sqlx::query(sql).execute(&fixture.pool).await.expect("time passes");
    }
    let run = again("retarget", 1);
    let done = pushed(&run).await;
    assert_eq!((done.counts().success, done.counts().skipped), (1, 2));
    assert_eq!((done.reasons()["contact_made"], done.reasons()["retarget_not_due"]), (1, 1));
    let retargeted =
        "select count(*) from sms_queue where attempt_number = 3 and context = 'retarget' and status = 'draft'
                      and template_id = 'ghost_day_3'";
    assert_eq!(fixture.count(retargeted).await, 1, "and it waits for a person");
    // The same block, delivered again after a crash.
    let report = run.block(&done.tasks[0]).await.expect("repeated");
    assert_eq!(report.counts.success, 1);
    assert_eq!(fixture.count("select count(*) from sms_queue").await, 7);
}

/// The same leads with another number, as a tracer may find it.
async fn rewritten(fixture: &Fixture, input: &BlockInput, from: &str, to: &str) -> BlockInput {
    let BlockInput::Artifact { artifact_id, object_path, leads, .. } = input else { panic!("an artifact") };
    let bytes = fixture.tools.storage.get(object_path).await.expect("an object");
    let text = String::from_utf8(bytes.into()).expect("text").replace(from, to);
    let file = FileName::sanitise("leads.csv");
    let place = ObjectLocation::Import { day: Day::of(Micros::now()), import_id: ImportId::generate(), file };
    let key = ObjectKey::new(fixture.tenant, place);
    let digest = ObjectDigest { size_bytes: text.len() as u64, checksum: hex::encode(Sha256::digest(&text)) };
    fixture.tools.storage.put(&key, text.into(), "text/plain").await.expect("stored");
    BlockInput::Artifact {
        artifact_id: *artifact_id,
        object_path: key.to_string(),
        leads: *leads,
        digest: Some(digest),
    }
}

#[tokio::test]
async fn two_leads_with_one_mobile_get_one_text_and_the_second_names_the_first() {
    let fixture = fixture().await;
    let csv = "Company,First Name,Cell\nAcme,Ann,9175550101\nBolt,Bob,9175550102\n";
    let mut run = inside(fixture.import(csv).await);
    run.configure(Stage::Push, json!({"channels": ["sms"], "mode": "immediate"}));
    let ready = outputs(&run.through(Stage::Assign).await[&Stage::Assign], Stage::Assign).remove(0);
    let household = rewritten(&fixture, &ready, "+19175550102", "+19175550101").await;
    let done = run.stage(Stage::Push, vec![household]).await;
    assert_eq!((done.counts().success, done.reasons()["already_queued"]), (1, 1));
    assert_eq!(fixture.count("select count(*) from sms_queue where to_number = '+19175550101'").await, 1);
    assert_eq!(fixture.count("select count(*) from attempt_logs").await, 1);
    let pushed = fixture.lines(done.artifacts(Stage::Push.artifact_type())[0]).await;
    let lines: Vec<Value> = pushed.iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines[1]["alreadyQueued"], lines[0]["leadId"], "{}", lines[1]);
    assert!(lines[0].get("alreadyQueued").is_none());
    assert_eq!(fixture.leads(done.artifacts(Stage::Push.artifact_type())[0]).await.len(), 2, "both are leads");
}
