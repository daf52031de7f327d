//! Limits: shared by all processes, divided among tenants, per UTC day, and the circuit breaker's pauses.

use std::{sync::Arc, time::Duration};

use futures::future::join_all;
use luci_providers::{
    BreakerPolicy, CallState, Limits, LookupContext, ProviderName, Providers, ProvidersConfig, RetryPolicy, Scope,
    health, limits, submit_batch::BatchSubmission,
};
use luci_sandbox::{Fault, Faults};
use luci_schema::{BlockId, FailureCode, TenantId};

use super::fixture::{Fixture, addresses, at_once, people};
use crate::support::{self, vault};

const APOLLO: ProviderName = ProviderName::APOLLO;

/// The providers of another process, with these limits of Apollo; a call over the limit fails at once.
fn process(fixture: &Fixture, limits: Limits) -> Arc<Providers> {
    let retry = RetryPolicy { retries: 0, ..at_once() };
    let mut config =
        ProvidersConfig { retry, ..ProvidersConfig::all_at(&fixture.sandbox.url(), fixture.sandbox.key()) };
    config.max_quota_wait = Duration::ZERO;
    for site in config.sites.values_mut() {
        site.limits = limits;
    }
    Providers::new(fixture.pool.clone(), vault(), config).expect("an address")
}

fn per_minute(people: u32) -> Limits {
    Limits { per_minute: Some(people), ..Limits::default() }
}

#[tokio::test]
async fn three_processes_together_respect_one_limit() {
    let fixture = Fixture::new().await;
    let queries: Vec<_> = (0..6).map(|_| people(40)).collect();
    let processes: Vec<_> = (0..3).map(|_| process(&fixture, per_minute(100))).collect();
    let answers =
        join_all((0..6).map(|n| processes[n % 3].people_match(fixture.request(), ProviderName::APOLLO, &queries[n])))
            .await;
    let answers: Vec<_> = answers.into_iter().flatten().collect();
    let answered = answers.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!((answered, fixture.sandbox.ledger().asked), (100, 100), "of 240 people");
    for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_eq!(
            (error.code, error.reason.as_str(), error.call),
            (FailureCode::RateLimit, "limit", CallState::NotMade)
        );
        let wait = error.retry_after.expect("a time");
        assert!(wait >= Duration::from_secs(1) && wait <= Duration::from_secs(60), "{wait:?}");
    }
    let mut c = fixture.pool.acquire().await.expect("a connection");
    let seen = support::found("the provider's calls and that it is limited", async || {
        let seen = health::read(&mut c, fixture.tenant, APOLLO, Scope::Installation).await.expect("health");
        (seen.state != health::HealthState::Ok && seen.calls > 0).then_some(seen)
    })
    .await;
    assert_eq!((seen.state, seen.until.is_some(), seen.errors), (health::HealthState::Limited, true, 0));
}

#[tokio::test]
async fn a_tenant_that_waits_keeps_its_share() {
    let fixture = Fixture::new().await;
    let mut c = fixture.pool.acquire().await.expect("a connection");
    let (greedy, modest) = (TenantId::generate(), TenantId::generate());
    let limits = per_minute(60);
    let mut take = async |tenant, wanted| {
        limits::take(&mut c, tenant, APOLLO, Scope::Installation, &limits, wanted).await.expect("a grant").people
    };
    assert_eq!(take(greedy, 45).await, 45);
    assert_eq!(take(modest, 20).await, 15, "what is left; and it waits for more");
    // As when a part of the greedy tenant's grants has expired.
    age(&fixture, greedy, 20).await;
    assert_eq!(take(greedy, 20).await, 5, "the rest is the share of the one that waits");
    assert_eq!(take(modest, 30).await, 15);
    // No tenant waits any more: the rest is free for all.
    sqlx::query("delete from provider_waiting").execute(&fixture.pool).await.expect("deleted");
    age(&fixture, greedy, 25).await;
    assert_eq!(take(greedy, 60).await, 25);
}

/// Ages a number of the tenant's grants by a minute.
async fn age(fixture: &Fixture, tenant: TenantId, people: i32) {
    let sql = "update provider_grants set people = people - $2 where tenant_id = $1 and people >= $2";
    let done = sqlx::query(sql).bind(tenant).bind(people).execute(&fixture.pool).await.expect("updated");
    assert_eq!(done.rows_affected(), 1);
}

#[tokio::test]
async fn a_minute_s_limit_is_free_again_when_the_minute_is_over() {
    let fixture = Fixture::new().await;
    let mut c = fixture.pool.acquire().await.expect("a connection");
    let mut take = async |wanted| {
        limits::take(&mut c, fixture.tenant, APOLLO, Scope::Installation, &per_minute(10), wanted)
            .await
            .expect("a grant")
    };
    assert_eq!((take(10).await.people, take(1).await.people), (10, 0));
    let slots = "update provider_grants set slot = slot - $1";
    sqlx::query(slots).bind(11_i64).execute(&fixture.pool).await.expect("moved");
    let refused = take(1).await;
    assert!(refused.people == 0 && refused.wait <= Duration::from_secs(10), "{refused:?}");
    sqlx::query(slots).bind(2_i64).execute(&fixture.pool).await.expect("moved");
    assert_eq!(take(10).await.people, 10);
}

#[tokio::test]
async fn a_daily_cap_is_each_tenant_s_own_and_ends_at_midnight_of_utc() {
    let fixture = Fixture::new().await;
    let providers = process(&fixture, Limits { tenant_per_day: Some(30), ..Limits::default() });
    let first = providers.skip_trace(fixture.request(), ProviderName::REALESTATE, &addresses(40)).await;
    assert_eq!(first.iter().filter(|answer| answer.is_ok()).count(), 30);
    let wait = first.iter().find_map(|answer| answer.as_ref().err()?.retry_after).expect("a time");
    assert!(wait <= Duration::from_secs(86_400), "{wait:?}");
    let other = LookupContext { tenant: TenantId::generate(), ..fixture.request() };
    let second = providers.skip_trace(other, ProviderName::REALESTATE, &addresses(20)).await;
    assert!(second.iter().all(Result::is_ok), "another tenant has a cap of its own");
    // Yesterday's do not count.
    sqlx::query("update provider_days set day = day - 1").execute(&fixture.pool).await.expect("moved");
    let third = providers.skip_trace(fixture.request(), ProviderName::REALESTATE, &addresses(25)).await;
    assert!(third.iter().all(Result::is_ok));
}

#[tokio::test]
async fn unused_grants_are_returned() {
    let fixture = Fixture::new().await;
    let providers = process(&fixture, Limits { tenant_per_day: Some(500), ..Limits::default() });
    fixture.sandbox.fault_next(Fault::NoCredits, 50);
    let refused = providers.people_match(fixture.request(), ProviderName::APOLLO, &people(100)).await;
    assert!(refused.iter().all(|answer| answer.as_ref().is_err_and(|error| error.code == FailureCode::Auth)));
    let mut c = fixture.pool.acquire().await.expect("a connection");
    let used = limits::today(&mut c, fixture.tenant, APOLLO).await.expect("a count");
    assert!(used <= 40, "four calls of ten were out before the first refusal came: {used}");
}

/// Like `process`, with an address that answers can be posted to.
fn submitter(fixture: &Fixture, callback_url: Option<String>) -> Arc<Providers> {
    let limits = Limits { tenant_per_day: Some(500), ..Limits::default() };
    let mut config =
        ProvidersConfig { callback_url, ..ProvidersConfig::all_at(&fixture.sandbox.url(), fixture.sandbox.key()) };
    config.sites.values_mut().for_each(|site| site.limits = limits);
    Providers::new(fixture.pool.clone(), vault(), config).expect("an address")
}

#[tokio::test]
async fn people_of_a_batch_that_is_not_submitted_are_given_back() {
    let fixture = Fixture::new().await;
    let submission =
        BatchSubmission { run: fixture.run, block: BlockId::generate(), attempt: 1, timeout: Duration::from_secs(60) };
    let counted = async |tenant| {
        let mut c = fixture.pool.acquire().await.expect("a connection");
        limits::today(&mut c, tenant, ProviderName::REALESTATE).await.expect("a count")
    };
    let founded = fixture.founded().await;
    let callback = || Some("http://127.0.0.1:9".to_owned());
    for (tenant, url, reason) in
        [(founded, None, "no_public_url"), (TenantId::generate(), callback(), "answers_unreadable")]
    {
        let request = LookupContext { tenant, ..fixture.request() };
        let submitted = submitter(&fixture, url).submit_batches(request, &submission, &addresses(20)).await;
        let error = submitted.stopped_by.expect("not submitted");
        assert_eq!((error.reason.as_str(), error.call), (reason, CallState::NotMade));
        assert_eq!(counted(tenant).await, 0, "{reason}");
    }
    // Another process has just recorded some of the leads.
    let queries = addresses(20);
    let recorded: Vec<String> = queries[..8].iter().map(|query| format!("'{}'", query.lead_id)).collect();
    let trigger = format!(
        "create function recorded() returns trigger language plpgsql as $$ begin return null; end $$;
         create trigger recorded before insert on trace_leads for each row
           when (new.lead_id in ({})) execute function recorded()",
        recorded.join(", ")
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(trigger)).execute(&fixture.owner().await).await.expect("a trigger");
    let request = LookupContext { tenant: founded, ..fixture.request() };
    let submitted = submitter(&fixture, callback()).submit_batches(request, &submission, &queries).await;
    assert!(submitted.stopped_by.is_none() && submitted.waits_for.len() == 1, "{submitted:?}");
    assert_eq!(counted(founded).await, 12, "those that were sent");
}

/// People in all calls that the sandbox saw, whatever came of them.
fn sent(fixture: &Fixture) -> u32 {
    fixture.sandbox.ledger().people.values().map(|entry| entry.sent).sum()
}

#[tokio::test]
async fn retries_count_against_the_limit() {
    for (limits, fault) in [
        (Limits { tenant_per_day: Some(45), ..Limits::default() }, Fault::Unavailable),
        (per_minute(45), Fault::RateLimited),
        // Refused as a whole, and retried in halves.
        (Limits { per_day: Some(45), ..Limits::default() }, Fault::Refused),
    ] {
        let fixture = Fixture::new().await;
        let mut config = ProvidersConfig::all_at(&fixture.sandbox.url(), fixture.sandbox.key());
        (config.retry, config.max_quota_wait) = (at_once(), Duration::ZERO);
        config.sites.values_mut().for_each(|site| site.limits = limits);
        let providers = Providers::new(fixture.pool.clone(), vault(), config).expect("an address");
        fixture.sandbox.set_faults(Faults { retry_after: 0, ..Faults::default() });
        fixture.sandbox.fault_next(fault, 100);
        let answers = providers.people_match(fixture.request(), ProviderName::APOLLO, &people(40)).await;
        assert!(answers.iter().all(Result::is_err), "{fault:?}");
        assert!((30..=45).contains(&sent(&fixture)), "{fault:?}: {} people were sent", sent(&fixture));
        let told =
            |error: &&luci_providers::ProviderError| error.reason.as_str() == "limit" && error.retry_after.is_some();
        assert!(answers.iter().filter_map(|answer| answer.as_ref().err()).any(|error| told(&error)), "{fault:?}");
    }
}

#[tokio::test]
async fn concurrent_calls_do_not_exceed_a_tenant_s_limit() {
    let fixture = Fixture::new().await;
    let mut config = ProvidersConfig::all_at(&fixture.sandbox.url(), fixture.sandbox.key());
    (config.retry, config.max_quota_wait) = (at_once(), Duration::ZERO);
    config.sites.values_mut().for_each(|site| site.limits.tenant_per_day = Some(200));
    let providers = Providers::new(fixture.pool.clone(), vault(), config).expect("an address");
    fixture.sandbox.set_faults(Faults { rate_limited: 300, unavailable: 300, retry_after: 0, ..Faults::default() });
    for _ in 0..4 {
        providers.people_match(fixture.request(), ProviderName::APOLLO, &people(100)).await;
        providers.skip_trace(fixture.request(), ProviderName::REALESTATE, &addresses(100)).await;
    }
    for provider in ["apollo:", "realestate:"] {
        let ledger = fixture.sandbox.ledger();
        let sent = ledger.people.iter().filter(|(person, _)| person.starts_with(provider));
        let sent: u32 = sent.map(|(_, entry)| entry.sent).sum();
        assert!((100..=200).contains(&sent), "{provider} {sent} people were sent");
    }
}

#[tokio::test]
async fn nothing_is_counted_where_nothing_is_limited() {
    let fixture = Fixture::new().await;
    fixture.providers.people_match(fixture.request(), ProviderName::APOLLO, &people(10)).await;
    let rows: i64 =
        sqlx::query_scalar("select count(*) from provider_days").fetch_one(&fixture.pool).await.expect("rows");
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn a_failing_provider_is_not_called_during_the_pause() {
    let fixture = Fixture::new().await;
    let mut config = ProvidersConfig::all_at(&fixture.sandbox.url(), fixture.sandbox.key());
    config.retry = RetryPolicy { retries: 0, ..at_once() };
    config.in_flight = 1;
    let pause = Duration::from_millis(300);
    config.breaker = BreakerPolicy { failures: 3, pause, longest: pause };
    let providers = Providers::new(fixture.pool.clone(), vault(), config).expect("an address");
    fixture.sandbox.set_faults(Faults { unavailable: 1000, ..Faults::default() });
    let answers = providers.people_match(fixture.request(), ProviderName::APOLLO, &people(100)).await;
    assert_eq!(fixture.calls("/api/v1/people/bulk_match"), 3, "after three failures nothing is sent");
    let unasked =
        answers.iter().filter_map(|answer| answer.as_ref().err()).filter(|error| error.call == CallState::NotMade);
    let unasked: Vec<_> = unasked.collect();
    assert_eq!(unasked.len(), 70);
    assert!(
        unasked.iter().all(|error| error.reason.as_str() == "provider_down" && error.retry_after.is_some()),
        "{unasked:?}"
    );
    let mut c = fixture.pool.acquire().await.expect("a connection");
    let broken = "select exists (select from provider_weather where provider = 'apollo' and broken_until > updated_at)";
    support::eventually("the pause is in the table", async || {
        sqlx::query_scalar(broken).fetch_one(&mut *c).await.expect("people can see it")
    })
    .await;
    fixture.sandbox.set_faults(Faults::default());
    support::eventually("calls after the pause", async || {
        let answers = providers.people_match(fixture.request(), ProviderName::APOLLO, &people(10)).await;
        answers.iter().all(Result::is_ok)
    })
    .await;
}
