//! Provider faults: retried where that can help, with distinct codes.

use std::time::{Duration, Instant};

use luci_providers::{Answers, LookupContext, ProviderError, ProviderName, Providers, ProvidersConfig, RetryPolicy};
use luci_sandbox::{Fault, Faults};
use luci_schema::{FailureCode, event::RunPrices};

use tokio_util::sync::CancellationToken;

use super::fixture::{Fixture, addresses, at_once, people};

fn errors<T>(answers: &Answers<T>) -> Vec<&ProviderError> {
    answers.iter().filter_map(|answer| answer.as_ref().err()).collect()
}

#[tokio::test]
async fn transient_faults_are_retried() {
    let fixture = Fixture::new().await;
    fixture.sandbox.set_faults(Faults { retry_after: 0, ..Default::default() });
    for fault in [Fault::RateLimited, Fault::Unavailable, Fault::Garbage] {
        fixture.sandbox.fault_next(fault, 1);
    }
    let answers = fixture.providers.skip_trace(fixture.request(), ProviderName::REALESTATE, &addresses(20)).await;
    assert!(errors(&answers).is_empty());
    assert_eq!(fixture.calls("/v1/SkipTraceBatchAwait"), 4);
    assert!(fixture.sandbox.ledger().billed_twice().is_empty());
}

#[tokio::test]
async fn permanent_faults_have_different_codes() {
    let fixture = Fixture::new().await;
    for (fault, code, reason, calls) in [
        (Fault::RateLimited, FailureCode::RateLimit, "http_429", 4),
        (Fault::Unavailable, FailureCode::ApiError, "http_503", 4),
        (Fault::Garbage, FailureCode::ApiError, "bad_answer", 4),
        (Fault::NoCredits, FailureCode::Auth, "credits", 1),
    ] {
        fixture.sandbox.set_faults(Faults { retry_after: 0, ..Default::default() });
        let before = fixture.calls("/v1/SkipTraceBatchAwait");
        fixture.sandbox.fault_next(fault, calls);
        let answers = fixture.providers.skip_trace(fixture.request(), ProviderName::REALESTATE, &addresses(12)).await;
        let errors = errors(&answers);
        assert_eq!(errors.len(), 12, "{fault:?}");
        assert!(errors.iter().all(|error| (error.code, error.reason.as_str()) == (code, reason)), "{errors:?}");
        assert_eq!(fixture.calls("/v1/SkipTraceBatchAwait") - before, calls as u64, "{fault:?}");
    }
}

#[tokio::test]
async fn no_answer_is_a_timeout() {
    let fixture = Fixture::new().await;
    let providers = fixture.with(fixture.sandbox.key(), RetryPolicy { retries: 0, ..at_once() });
    fixture.sandbox.fault_next(Fault::Timeout, 1);
    let answers = providers.people_match(fixture.request(), ProviderName::APOLLO, &people(2)).await;
    assert!(errors(&answers).iter().all(|error| error.code == FailureCode::Timeout));
    assert_eq!(errors(&answers).len(), 2);
}

#[tokio::test]
async fn a_wrong_key_is_reported_and_nothing_more_is_sent() {
    let fixture = Fixture::new().await;
    let providers = fixture.with("wrong", at_once());
    let answers = providers.people_match(fixture.request(), ProviderName::APOLLO, &people(250)).await;
    let errors = errors(&answers);
    assert_eq!(errors.len(), 250);
    assert!(errors.iter().all(|error| (error.code, error.reason.as_str()) == (FailureCode::Auth, "http_401")));
    assert!(errors[0].detail.as_deref().is_some_and(|detail| detail.contains("invalid api key")));
    // The sandbox counts authorised calls only.
    assert!(fixture.sandbox.ledger().calls.is_empty());
}

#[tokio::test]
async fn retry_after_is_honoured_unless_it_is_too_long() {
    let fixture = Fixture::new().await;
    fixture.sandbox.set_faults(Faults { retry_after: 1, ..Default::default() });
    fixture.sandbox.fault_next(Fault::RateLimited, 1);
    let began = Instant::now();
    let answers = fixture.providers.people_match(fixture.request(), ProviderName::APOLLO, &people(2)).await;
    assert!(errors(&answers).is_empty() && began.elapsed() >= Duration::from_secs(1));

    fixture.sandbox.set_faults(Faults { retry_after: 3600, ..Default::default() });
    fixture.sandbox.fault_next(Fault::RateLimited, 1);
    let answers = fixture.providers.people_match(fixture.request(), ProviderName::APOLLO, &people(2)).await;
    assert_eq!(errors(&answers)[0].retry_after, Some(Duration::from_secs(3600)));
}

#[tokio::test]
async fn one_lead_that_the_provider_rejects_does_not_fail_the_others() {
    let fixture = Fixture::new().await;
    // The batch of 40 and its first half are refused; the halves of that are fine.
    fixture.sandbox.fault_next(Fault::Refused, 2);
    let answers = fixture.providers.skip_trace(fixture.request(), ProviderName::REALESTATE, &addresses(40)).await;
    assert!(errors(&answers).is_empty());
    assert_eq!(fixture.calls("/v1/SkipTraceBatchAwait"), 5);

    let mut queries = addresses(11);
    queries[4].address = " ".into();
    let answers = fixture.providers.skip_trace(fixture.request(), ProviderName::REALESTATE, &queries).await;
    let errors = errors(&answers);
    assert_eq!((errors.len(), errors[0].code), (1, FailureCode::Validation));
    assert!(answers[4].is_err());
}

#[tokio::test]
async fn only_what_was_lost_on_the_way_is_paid_for_twice() {
    let fixture = Fixture::new().await;
    fixture.sandbox.fault_next(Fault::Lost, 1);
    let answers = fixture.providers.people_match(fixture.request(), ProviderName::APOLLO, &people(40)).await;
    assert!(errors(&answers).is_empty());
    let ledger = fixture.sandbox.ledger();
    assert!((1..=10).contains(&ledger.billed_twice().len()), "one call of ten: {:?}", ledger.billed_twice());
}

#[tokio::test]
async fn a_provider_without_a_key_is_not_configured() {
    let fixture = Fixture::new().await;
    let providers = Providers::new(fixture.pool.clone(), crate::support::vault(), ProvidersConfig::default())
        .expect("nothing to be wrong");
    let answers = providers.people_match(fixture.request(), ProviderName::APOLLO, &people(1)).await;
    assert_eq!(errors(&answers)[0].reason.as_str(), "not_configured");
}

#[tokio::test]
async fn an_unreachable_provider_is_an_api_error() {
    let fixture = Fixture::new().await;
    let (key, url) = (fixture.sandbox.key().to_owned(), fixture.sandbox.url());
    let providers = fixture.with(&key, at_once());
    fixture.sandbox.stop().await;
    let (tenant, root_run, release, prices) = (fixture.tenant, fixture.run, fixture.release, &RunPrices::default());
    let answers = providers
        .people_match(
            LookupContext { tenant, root_run, release, prices, stop: &CancellationToken::new() },
            ProviderName::APOLLO,
            &people(3),
        )
        .await;
    assert_eq!(errors(&answers)[0].reason.as_str(), "connection", "{url}");
    assert_eq!(errors(&answers)[0].code, FailureCode::ApiError);
}
