//! How many people may be asked for: one account of it for all processes, shares among tenants, days of UTC, pauses.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use luci::sandbox::{Fault, Faults};
use luci_engine::provider::{
    Asked, Asking, BreakerPolicy, Limits, ProviderName, Providers, ProvidersConfig, RetryPolicy, Scope, limits, weather,
};
use luci_schema::{FailureCode, TenantId};

use super::ground::{Ground, addresses, at_once, people};
use crate::support::vault;

const APOLLO: ProviderName = ProviderName::Apollo;

/// A process of its own as far as limits go, with these limits of Apollo and no patience.
fn process(ground: &Ground, limits: Limits) -> Arc<Providers> {
    let retry = RetryPolicy { retries: 0, ..at_once() };
    let mut config = ProvidersConfig { retry, ..ProvidersConfig::all_at(&ground.sandbox.url(), ground.sandbox.key()) };
    config.patience = Duration::ZERO;
    for site in config.sites.values_mut() {
        site.limits = limits;
    }
    Providers::new(ground.pool.clone(), vault(), config).expect("an address")
}

fn per_minute(people: u32) -> Limits {
    Limits { per_minute: Some(people), ..Limits::default() }
}

#[tokio::test]
async fn three_processes_together_respect_one_limit() {
    let ground = Ground::new().await;
    let asked: Vec<_> = (0..6).map(|_| people(40)).collect();
    let processes: Vec<_> = (0..3).map(|_| process(&ground, per_minute(100))).collect();
    let answers = join_all((0..6).map(|n| processes[n % 3].people_match(ground.asking(), &asked[n]))).await;
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    let answered = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!((answered, ground.sandbox.ledger().asked), (100, 100), "of 240 people");
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!((error.code, error.reason.as_str(), error.asked), (FailureCode::RateLimit, "limit", Asked::No));
        let wait = error.retry_after.expect("a time");
        assert!(wait >= Duration::from_secs(1) && wait <= Duration::from_secs(60), "{wait:?}");
    }
    let mut c = ground.pool.acquire().await.expect("a connection");
    let mut seen = weather::look(&mut c, ground.tenant, APOLLO, Scope::Installation).await.expect("weather");
    while seen.state == weather::Sky::Ok || seen.calls == 0 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        seen = weather::look(&mut c, ground.tenant, APOLLO, Scope::Installation).await.expect("weather");
    }
    assert_eq!((seen.state, seen.until.is_some(), seen.errors), (weather::Sky::Limited, true, 0));
}

#[tokio::test]
async fn a_tenant_that_waits_keeps_its_share() {
    let ground = Ground::new().await;
    let mut c = ground.pool.acquire().await.expect("a connection");
    let (greedy, modest) = (TenantId::generate(), TenantId::generate());
    let limits = per_minute(60);
    let mut take = async |tenant, wanted| {
        limits::take(&mut c, tenant, APOLLO, Scope::Installation, &limits, wanted).await.expect("a grant").people
    };
    assert_eq!(take(greedy, 45).await, 45);
    assert_eq!(take(modest, 20).await, 15, "what is left; and it waits for more");
    // As when a part of the greedy one's grants no longer counts.
    age(&ground, greedy, 20).await;
    assert_eq!(take(greedy, 20).await, 5, "the rest is the share of the one that waits");
    assert_eq!(take(modest, 30).await, 15);
    // Nobody waits any more: what is free is for whoever asks.
    sqlx::query("delete from provider_waiting").execute(&ground.pool).await.expect("deleted");
    age(&ground, greedy, 25).await;
    assert_eq!(take(greedy, 60).await, 25);
}

/// Takes so many people of the tenant's grants out of the minute.
async fn age(ground: &Ground, tenant: TenantId, people: i32) {
    let sql = "update provider_grants set people = people - $2 where tenant_id = $1 and people >= $2";
    let done = sqlx::query(sql).bind(tenant).bind(people).execute(&ground.pool).await.expect("updated");
    assert_eq!(done.rows_affected(), 1);
}

#[tokio::test]
async fn a_minute_s_limit_is_free_again_when_the_minute_is_over() {
    let ground = Ground::new().await;
    let mut c = ground.pool.acquire().await.expect("a connection");
    let mut take = async |wanted| {
        limits::take(&mut c, ground.tenant, APOLLO, Scope::Installation, &per_minute(10), wanted)
            .await
            .expect("a grant")
    };
    assert_eq!((take(10).await.people, take(1).await.people), (10, 0));
    let slots = "update provider_grants set slot = slot - $1";
    sqlx::query(slots).bind(11_i64).execute(&ground.pool).await.expect("moved");
    let refused = take(1).await;
    assert!(refused.people == 0 && refused.wait <= Duration::from_secs(10), "{refused:?}");
    sqlx::query(slots).bind(2_i64).execute(&ground.pool).await.expect("moved");
    assert_eq!(take(10).await.people, 10);
}

#[tokio::test]
async fn a_daily_cap_is_each_tenant_s_own_and_ends_at_midnight_of_utc() {
    let ground = Ground::new().await;
    let providers = process(&ground, Limits { tenant_per_day: Some(30), ..Limits::default() });
    let first = providers.skip_trace(ground.asking(), ProviderName::RealEstate, &addresses(40)).await;
    assert_eq!(first.iter().filter(|answer| answer.is_ok()).count(), 30);
    let wait = first.iter().find_map(|answer| answer.as_ref().err()?.retry_after).expect("a time");
    assert!(wait <= Duration::from_secs(86_400), "{wait:?}");
    let other = Asking { tenant: TenantId::generate(), ..ground.asking() };
    let second = providers.skip_trace(other, ProviderName::RealEstate, &addresses(20)).await;
    assert!(second.iter().all(Result::is_ok), "another tenant has a cap of its own");
    // Yesterday's do not count.
    sqlx::query("update provider_days set day = day - 1").execute(&ground.pool).await.expect("moved");
    let third = providers.skip_trace(ground.asking(), ProviderName::RealEstate, &addresses(25)).await;
    assert!(third.iter().all(Result::is_ok));
}

#[tokio::test]
async fn grants_that_were_not_used_are_given_back() {
    let ground = Ground::new().await;
    let providers = process(&ground, Limits { tenant_per_day: Some(500), ..Limits::default() });
    ground.sandbox.fault_next(Fault::NoCredits, 50);
    let refused = providers.people_match(ground.asking(), &people(100)).await;
    assert!(refused.iter().all(|answer| answer.as_ref().is_err_and(|error| error.code == FailureCode::Auth)));
    let mut c = ground.pool.acquire().await.expect("a connection");
    let used = limits::today(&mut c, ground.tenant, APOLLO).await.expect("a count");
    assert!(used <= 40, "four calls of ten were out before the first refusal came: {used}");
}

/// People in all calls that the sandbox saw, whatever came of them.
fn sent(ground: &Ground) -> u32 {
    ground.sandbox.ledger().people.values().map(|entry| entry.sent).sum()
}

#[tokio::test]
async fn what_is_tried_again_counts_against_the_limit_again() {
    for (limits, fault) in [
        (Limits { tenant_per_day: Some(45), ..Limits::default() }, Fault::Unavailable),
        (per_minute(45), Fault::RateLimited),
        // Called wrong as a whole, and asked about in halves.
        (Limits { per_day: Some(45), ..Limits::default() }, Fault::Refused),
    ] {
        let ground = Ground::new().await;
        let mut config = ProvidersConfig::all_at(&ground.sandbox.url(), ground.sandbox.key());
        (config.retry, config.patience) = (at_once(), Duration::ZERO);
        config.sites.values_mut().for_each(|site| site.limits = limits);
        let providers = Providers::new(ground.pool.clone(), vault(), config).expect("an address");
        ground.sandbox.set_faults(Faults { retry_after: 0, ..Faults::default() });
        ground.sandbox.fault_next(fault, 100);
        let answers = providers.people_match(ground.asking(), &people(40)).await;
        assert!(answers.iter().all(Result::is_err), "{fault:?}");
        assert!((30..=45).contains(&sent(&ground)), "{fault:?}: {} people were sent", sent(&ground));
        let told =
            |error: &&luci_engine::provider::ProviderError| error.reason == "limit" && error.retry_after.is_some();
        assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).any(|error| told(&error)), "{fault:?}");
    }
}

#[tokio::test]
async fn a_storm_does_not_carry_a_tenant_over_its_limit() {
    let ground = Ground::new().await;
    let mut config = ProvidersConfig::all_at(&ground.sandbox.url(), ground.sandbox.key());
    (config.retry, config.patience) = (at_once(), Duration::ZERO);
    config.sites.values_mut().for_each(|site| site.limits.tenant_per_day = Some(200));
    let providers = Providers::new(ground.pool.clone(), vault(), config).expect("an address");
    ground.sandbox.set_faults(Faults { rate_limited: 300, unavailable: 300, retry_after: 0, ..Faults::default() });
    for _ in 0..4 {
        providers.people_match(ground.asking(), &people(100)).await;
        providers.skip_trace(ground.asking(), ProviderName::RealEstate, &addresses(100)).await;
    }
    for provider in ["apollo:", "realestate:"] {
        let ledger = ground.sandbox.ledger();
        let sent = ledger.people.iter().filter(|(person, _)| person.starts_with(provider));
        let sent: u32 = sent.map(|(_, entry)| entry.sent).sum();
        assert!((100..=200).contains(&sent), "{provider} {sent} people were sent");
    }
}

#[tokio::test]
async fn nothing_is_counted_where_nothing_is_limited() {
    let ground = Ground::new().await;
    ground.providers.people_match(ground.asking(), &people(10)).await;
    let rows: i64 =
        sqlx::query_scalar("select count(*) from provider_days").fetch_one(&ground.pool).await.expect("rows");
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_left_alone_and_tried_again() {
    let ground = Ground::new().await;
    let mut config = ProvidersConfig::all_at(&ground.sandbox.url(), ground.sandbox.key());
    config.retry = RetryPolicy { retries: 0, ..at_once() };
    config.in_flight = 1;
    let pause = Duration::from_millis(300);
    config.breaker = BreakerPolicy { failures: 3, pause, longest: pause };
    let providers = Providers::new(ground.pool.clone(), vault(), config).expect("an address");
    ground.sandbox.set_faults(Faults { unavailable: 1000, ..Faults::default() });
    let answers = providers.people_match(ground.asking(), &people(100)).await;
    assert_eq!(ground.calls("/api/v1/people/bulk_match"), 3, "after three failures nothing is sent");
    let unasked = answers.iter().filter_map(|answer| answer.as_ref().err()).filter(|error| error.asked == Asked::No);
    let unasked: Vec<_> = unasked.collect();
    assert_eq!(unasked.len(), 70);
    assert!(unasked.iter().all(|error| error.reason == "provider_down" && error.retry_after.is_some()), "{unasked:?}");
    let mut c = ground.pool.acquire().await.expect("a connection");
    let mut broken = false;
    while !broken {
        let sql =
            "select exists (select from provider_weather where provider = 'apollo' and broken_until > updated_at)";
        broken = sqlx::query_scalar(sql).fetch_one(&mut *c).await.expect("people can see it");
    }
    ground.sandbox.set_faults(Faults::default());
    tokio::time::sleep(pause).await;
    let answers = providers.people_match(ground.asking(), &people(10)).await;
    assert!(answers.iter().all(Result::is_ok), "well again");
}
