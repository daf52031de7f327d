//! Send windows and limits: no messages at night, and no more than the daily and hourly limits.

use luci_schema::Micros;

use super::fixture::{fixture, noon};

/// Without the messages of `full_pass`.
const SENT: &str = "select count(*) from sms_queue where status = 'sent' and from_number not like '+1646555%'";

#[tokio::test]
async fn the_window_is_the_recipient_s_own() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 2).await;
    // Twelve hours away from noon it is night, whatever the tenant's window says.
    let hour = Micros::now().seconds().div_euclid(3_600).rem_euclid(24);
    let night = if hour <= 12 { format!("Etc/GMT+{hour}") } else { format!("Etc/GMT-{}", 24 - hour) };
    sqlx::query("update sms_queue set time_zones = array[$1] where to_number like '%1'")
        .bind(&night)
        .execute(&fixture.pool)
        .await
        .expect("a zone");
    fixture
        .settings(fixture.tenant, |settings| {
            settings.window_from = "00:00".into();
            settings.window_to = "23:59".into();
        })
        .await;
    let sending = fixture.start_one_a_turn();
    fixture.until(SENT, 1).await;
    fixture.full_pass().await;
    sending.stop().await;
    let taken: Vec<String> = fixture.taken().into_iter().map(|taken| taken.to).collect();
    assert_eq!(taken, [super::fixture::to(2)]);
    assert_eq!(fixture.count("select count(*) from sms_queue where status = 'pending'").await, 1);
}

#[tokio::test]
async fn nothing_is_sent_on_days_that_the_tenant_excluded() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 1).await;
    let today: i32 = sqlx::query_scalar("select extract(isodow from now() at time zone $1)::int")
        .bind(noon())
        .fetch_one(&fixture.pool)
        .await
        .expect("a day");
    let today = u8::try_from(today).expect("1 to 7");
    fixture.settings(fixture.tenant, |settings| settings.days.retain(|day| *day != today)).await;
    let sending = fixture.start_one_a_turn();
    fixture.full_pass().await;
    assert!(fixture.taken().is_empty());
    fixture.settings(fixture.tenant, |settings| settings.days = vec![today]).await;
    fixture.until(SENT, 1).await;
    sending.stop().await;
}

#[tokio::test]
async fn the_daily_limit_resets_at_midnight_of_the_tenant_s_zone() {
    let fixture = fixture().await;
    fixture.queue(fixture.tenant, "import_a", 5).await;
    fixture.settings(fixture.tenant, |settings| settings.daily_limit = 2).await;
    let sending = fixture.start_one_a_turn();
    fixture.until(SENT, 2).await;
    fixture.full_pass().await;
    assert_eq!(fixture.taken().len(), 2, "the limit holds");
    // It is noon there: thirteen hours ago was yesterday.
    sqlx::query("update sms_queue set claimed_at = claimed_at - interval '13 hours' where status = 'sent'")
        .execute(&fixture.pool)
        .await
        .expect("time passes");
    fixture.until(SENT, 4).await;
    fixture
        .settings(fixture.tenant, |settings| {
            settings.daily_limit = 100;
            settings.hourly_limit = 2;
        })
        .await;
    fixture.full_pass().await;
    assert_eq!(fixture.taken().len(), 4, "the hour's limit holds too");
    fixture.settings(fixture.tenant, |settings| settings.hourly_limit = 3).await;
    fixture.until(SENT, 5).await;
    sending.stop().await;
}
