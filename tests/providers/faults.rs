//! What goes wrong outside: tried again where that can help, and told apart by code.

use std::time::{Duration, Instant};

use luci::sandbox::{Fault, Faults};
use luci_engine::provider::{Answers, Asking, ProviderError, ProviderName, Providers, ProvidersConfig, RetryPolicy};
use luci_schema::{FailureCode, event::RunPrices};

use super::ground::{Ground, addresses, at_once, people};

fn errors<T>(answers: &Answers<T>) -> Vec<&ProviderError> {
    answers.iter().filter_map(|answer| answer.as_ref().err()).collect()
}

#[tokio::test]
async fn passing_faults_are_outlived() {
    let ground = Ground::new().await;
    ground.sandbox.set_faults(Faults { retry_after: 0, ..Default::default() });
    for fault in [Fault::RateLimited, Fault::Unavailable, Fault::Garbage] {
        ground.sandbox.fault_next(fault, 1);
    }
    let answers = ground.providers.skip_trace(ground.asking(), ProviderName::RealEstate, &addresses(20)).await;
    assert!(errors(&answers).is_empty());
    assert_eq!(ground.calls("/v1/SkipTraceBatchAwait"), 4);
    assert!(ground.sandbox.ledger().billed_twice().is_empty());
}

#[tokio::test]
async fn lasting_faults_are_told_apart() {
    let ground = Ground::new().await;
    for (fault, code, reason, calls) in [
        (Fault::RateLimited, FailureCode::RateLimit, "http_429", 4),
        (Fault::Unavailable, FailureCode::ApiError, "http_503", 4),
        (Fault::Garbage, FailureCode::ApiError, "bad_answer", 4),
        (Fault::NoCredits, FailureCode::Auth, "credits", 1),
    ] {
        ground.sandbox.set_faults(Faults { retry_after: 0, ..Default::default() });
        let before = ground.calls("/v1/SkipTraceBatchAwait");
        ground.sandbox.fault_next(fault, calls);
        let answers = ground.providers.skip_trace(ground.asking(), ProviderName::RealEstate, &addresses(12)).await;
        let errors = errors(&answers);
        assert_eq!(errors.len(), 12, "{fault:?}");
        assert!(errors.iter().all(|error| (error.code, error.reason.as_str()) == (code, reason)), "{errors:?}");
        assert_eq!(ground.calls("/v1/SkipTraceBatchAwait") - before, calls as u64, "{fault:?}");
    }
}

#[tokio::test]
async fn silence_is_a_timeout() {
    let ground = Ground::new().await;
    let providers = ground.with(ground.sandbox.key(), RetryPolicy { retries: 0, ..at_once() });
    ground.sandbox.fault_next(Fault::Timeout, 1);
    let answers = providers.people_match(ground.asking(), &people(2)).await;
    assert!(errors(&answers).iter().all(|error| error.code == FailureCode::Timeout));
    assert_eq!(errors(&answers).len(), 2);
}

#[tokio::test]
async fn a_wrong_key_is_said_once_and_nothing_more_is_sent() {
    let ground = Ground::new().await;
    let providers = ground.with("wrong", at_once());
    let answers = providers.people_match(ground.asking(), &people(250)).await;
    let errors = errors(&answers);
    assert_eq!(errors.len(), 250);
    assert!(errors.iter().all(|error| (error.code, error.reason.as_str()) == (FailureCode::Auth, "http_401")));
    assert!(errors[0].detail.as_deref().is_some_and(|detail| detail.contains("invalid api key")));
    // The sandbox counts authorised calls only.
    assert!(ground.sandbox.ledger().calls.is_empty());
}

#[tokio::test]
async fn retry_after_is_waited_for_unless_it_is_too_long() {
    let ground = Ground::new().await;
    ground.sandbox.set_faults(Faults { retry_after: 1, ..Default::default() });
    ground.sandbox.fault_next(Fault::RateLimited, 1);
    let began = Instant::now();
    let answers = ground.providers.people_match(ground.asking(), &people(2)).await;
    assert!(errors(&answers).is_empty() && began.elapsed() >= Duration::from_secs(1));

    ground.sandbox.set_faults(Faults { retry_after: 3600, ..Default::default() });
    ground.sandbox.fault_next(Fault::RateLimited, 1);
    let answers = ground.providers.people_match(ground.asking(), &people(2)).await;
    assert_eq!(errors(&answers)[0].retry_after, Some(Duration::from_secs(3600)));
}

#[tokio::test]
async fn one_lead_that_the_provider_cannot_read_does_not_spoil_the_others() {
    let ground = Ground::new().await;
    // The batch of 40, then its first half, are called wrong; the halves of that are fine.
    ground.sandbox.fault_next(Fault::Refused, 2);
    let answers = ground.providers.skip_trace(ground.asking(), ProviderName::RealEstate, &addresses(40)).await;
    assert!(errors(&answers).is_empty());
    assert_eq!(ground.calls("/v1/SkipTraceBatchAwait"), 5);

    let mut asked = addresses(11);
    asked[4].address = " ".into();
    let answers = ground.providers.skip_trace(ground.asking(), ProviderName::RealEstate, &asked).await;
    let errors = errors(&answers);
    assert_eq!((errors.len(), errors[0].code), (1, FailureCode::Validation));
    assert!(answers[4].is_err());
}

#[tokio::test]
async fn only_what_was_lost_on_the_way_is_paid_for_twice() {
    let ground = Ground::new().await;
    ground.sandbox.fault_next(Fault::Lost, 1);
    let answers = ground.providers.people_match(ground.asking(), &people(40)).await;
    assert!(errors(&answers).is_empty());
    let ledger = ground.sandbox.ledger();
    assert!((1..=10).contains(&ledger.billed_twice().len()), "one call of ten: {:?}", ledger.billed_twice());
}

#[tokio::test]
async fn a_provider_without_a_key_is_not_configured() {
    let ground = Ground::new().await;
    let providers = Providers::new(ground.pool.clone(), crate::support::vault(), ProvidersConfig::default())
        .expect("nothing to be wrong");
    let answers = providers.people_match(ground.asking(), &people(1)).await;
    assert_eq!(errors(&answers)[0].reason, "not_configured");
}

#[tokio::test]
async fn nobody_at_the_address_is_an_api_error() {
    let ground = Ground::new().await;
    let (key, url) = (ground.sandbox.key().to_owned(), ground.sandbox.url());
    let providers = ground.with(&key, at_once());
    ground.sandbox.stop().await;
    let (tenant, root_run, release, prices) = (ground.tenant, ground.run, ground.release, &RunPrices::default());
    let answers = providers.people_match(Asking { tenant, root_run, release, prices }, &people(3)).await;
    assert_eq!(errors(&answers)[0].reason, "connection", "{url}");
    assert_eq!(errors(&answers)[0].code, FailureCode::ApiError);
}
