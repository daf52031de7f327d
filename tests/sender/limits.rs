//! Windows and limits: nobody is written to at night, and no tenant sends more than its day and hour allow.

use luci_schema::Micros;

use super::ground::{ground, noon};

const SENT: &str = "select count(*) from sms_queue where status = 'sent'";

#[tokio::test]
async fn the_window_is_the_recipient_s_own() {
    let ground = ground().await;
    ground.queue(ground.tenant, "import_a", 2).await;
    // Twelve hours away from noon it is night, whatever the tenant's window says.
    let hour = Micros::now().seconds().div_euclid(3_600).rem_euclid(24);
    let night = if hour <= 12 { format!("Etc/GMT+{hour}") } else { format!("Etc/GMT-{}", 24 - hour) };
    sqlx::query("update sms_queue set time_zone = $1 where to_number like '%1'")
        .bind(&night)
        .execute(&ground.pool)
        .await
        .expect("a zone");
    ground
        .settings(ground.tenant, |settings| {
            settings.window_from = "00:00".into();
            settings.window_to = "23:59".into();
        })
        .await;
    let sending = ground.start();
    ground.until(SENT, 1).await;
    sending.stop().await;
    assert_eq!(ground.carriers.taken()[0].to, super::ground::to(2));
    assert_eq!(ground.count("select count(*) from sms_queue where status = 'pending'").await, 1);
}

#[tokio::test]
async fn days_that_are_not_the_tenant_s_are_silent() {
    let ground = ground().await;
    ground.queue(ground.tenant, "import_a", 1).await;
    let today: i32 = sqlx::query_scalar("select extract(isodow from now() at time zone $1)::int")
        .bind(noon())
        .fetch_one(&ground.pool)
        .await
        .expect("a day");
    let today = u8::try_from(today).expect("1 to 7");
    ground.settings(ground.tenant, |settings| settings.days.retain(|day| *day != today)).await;
    let sending = ground.start();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert!(ground.carriers.taken().is_empty());
    ground.settings(ground.tenant, |settings| settings.days = vec![today]).await;
    ground.until(SENT, 1).await;
    sending.stop().await;
}

#[tokio::test]
async fn the_day_s_limit_begins_anew_at_midnight_of_the_tenant_s_zone() {
    let ground = ground().await;
    ground.queue(ground.tenant, "import_a", 5).await;
    ground.settings(ground.tenant, |settings| settings.daily_limit = 2).await;
    let sending = ground.start();
    ground.until(SENT, 2).await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(ground.carriers.taken().len(), 2, "the limit holds");
    // It is noon there: thirteen hours ago was yesterday.
    sqlx::query("update sms_queue set claimed_at = claimed_at - interval '13 hours' where status = 'sent'")
        .execute(&ground.pool)
        .await
        .expect("time goes by");
    ground.until(SENT, 4).await;
    ground
        .settings(ground.tenant, |settings| {
            settings.daily_limit = 100;
            settings.hourly_limit = 2;
        })
        .await;
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    assert_eq!(ground.carriers.taken().len(), 4, "the hour's limit holds too");
    ground.settings(ground.tenant, |settings| settings.hourly_limit = 3).await;
    ground.until(SENT, 5).await;
    sending.stop().await;
}
