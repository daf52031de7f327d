//! The same cases for every adapter: found, not found, and each kind of failure.

use std::time::Duration;

use luci_providers::{
    Answer, CallState, LookupContext, OrganizationQuery, PhoneQuery, PhoneSource, ProviderError, ProviderName,
    Providers, ProvidersConfig, RetryPolicy, realestate_async_item, submit_batch::BatchSubmission,
};
use luci_sandbox::{Fault, Faults};
use luci_schema::{ArtifactId, BlockId, FailureCode, LeadId};

use super::fixture::{Fixture, addresses, at_once, people};
use crate::support::vault;

/// Every adapter with one call's queries.
const ADAPTERS: [Adapter; 7] = [
    Adapter::Apollo,
    Adapter::Companies,
    Adapter::RealEstate,
    Adapter::Tracerfy,
    Adapter::Phone(PhoneSource::TRESTLE_PHONE),
    Adapter::Phone(PhoneSource::TRESTLE_CONTACT),
    Adapter::Phone(PhoneSource::TWILIO),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Adapter {
    Apollo,
    Companies,
    RealEstate,
    Tracerfy,
    Phone(PhoneSource),
}

fn founds<T>(answers: Vec<Result<Answer<T>, ProviderError>>) -> Vec<Result<bool, ProviderError>> {
    answers.into_iter().map(|answer| answer.map(|answer| answer.found.is_some())).collect()
}

impl Adapter {
    /// The number of queries in one call, ten at most.
    fn one_call(self) -> usize {
        match self {
            Self::Phone(_) => 1,
            Self::Apollo | Self::Companies | Self::RealEstate | Self::Tracerfy => 10,
        }
    }

    /// Whether each was found.
    async fn call(self, fixture: &Fixture, providers: &Providers, count: usize) -> Vec<Result<bool, ProviderError>> {
        let (request, realestate, tracerfy) = (fixture.request(), ProviderName::REALESTATE, ProviderName::TRACERFY);
        match self {
            Self::Apollo => founds(providers.people_match(request, ProviderName::APOLLO, &people(count)).await),
            Self::Companies => founds(providers.organizations(request, ProviderName::APOLLO, &companies(count)).await),
            Self::RealEstate => founds(providers.skip_trace(request, realestate, &addresses(count)).await),
            Self::Tracerfy => founds(providers.skip_trace(request, tracerfy, &addresses(count)).await),
            Self::Phone(source) => founds(providers.phone_facts(request, source, &numbers(count)).await),
        }
    }
}

fn companies(count: usize) -> Vec<OrganizationQuery> {
    let company = |n: usize| OrganizationQuery { lead_id: LeadId::generate(), domain: format!("firm{n}.example") };
    (0..count).map(company).collect()
}

fn numbers(count: usize) -> Vec<PhoneQuery> {
    let number = |n: usize| PhoneQuery {
        lead_id: LeadId::generate(),
        number: format!("+1212555{n:04}"),
        name: Some("Ana Diaz".into()),
    };
    (0..count).map(number).collect()
}

fn providers(fixture: &Fixture, retries: u32) -> std::sync::Arc<Providers> {
    let config = ProvidersConfig {
        retry: RetryPolicy { retries, ..at_once() },
        timeout: Duration::from_millis(500),
        ..ProvidersConfig::all_at(&fixture.sandbox.url(), fixture.sandbox.key())
    };
    Providers::new(fixture.pool.clone(), vault(), config).expect("an address")
}

#[tokio::test]
async fn some_are_found_and_some_are_not_and_no_query_is_sent_twice() {
    let fixture = Fixture::new().await;
    for adapter in ADAPTERS {
        let before = fixture.sandbox.ledger().asked;
        let answers = adapter.call(&fixture, &fixture.providers, 60).await;
        let found = answers.iter().filter(|answer| *answer.as_ref().expect("answered")).count();
        match adapter {
            Adapter::Phone(_) => assert_eq!(found, 60, "{adapter:?}"),
            _ => assert!((35..60).contains(&found), "{adapter:?}: {found} of 60"),
        }
        assert_eq!(fixture.sandbox.ledger().asked - before, 60, "{adapter:?}");
    }
}

#[tokio::test]
async fn each_way_of_not_answering_has_its_code() {
    let fixture = Fixture::new().await;
    let providers = providers(&fixture, 0);
    for adapter in ADAPTERS {
        for (fault, code, reasons) in [
            (Fault::BadKey, FailureCode::Auth, &["http_401"][..]),
            (Fault::NoCredits, FailureCode::Auth, &["http_403", "credits"]),
            (Fault::RateLimited, FailureCode::RateLimit, &["http_429"]),
            (Fault::Unavailable, FailureCode::ApiError, &["http_503"]),
            (Fault::Garbage, FailureCode::ApiError, &["bad_answer"]),
            (Fault::Partial, FailureCode::ApiError, &["bad_answer", "missing_answer"]),
            (Fault::Timeout, FailureCode::Timeout, &["timeout"]),
        ] {
            fixture.sandbox.set_faults(Faults { retry_after: 7, ..Faults::default() });
            fixture.sandbox.fault_next(fault, 1);
            let answers = adapter.call(&fixture, &providers, adapter.one_call()).await;
            if matches!((adapter, fault), (Adapter::Companies | Adapter::Tracerfy, Fault::Partial)) {
                // A company that is left out is one that is not known: there is nothing to tell the two apart by. A queue
                // whose number was not understood is found in the list of queues.
                assert!(answers.iter().all(Result::is_ok));
                continue;
            }
            let errors: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().err()).collect();
            assert!(!errors.is_empty(), "{adapter:?} {fault:?}");
            for error in errors {
                assert_eq!((error.code, error.call), (code, CallState::Made), "{adapter:?} {fault:?} {error:?}");
                assert!(reasons.contains(&error.reason.as_str()), "{adapter:?} {fault:?} {error:?}");
                let after = (fault == Fault::RateLimited).then(|| Duration::from_secs(7));
                assert_eq!(error.retry_after, after, "{adapter:?} {fault:?}");
            }
        }
    }
}

#[tokio::test]
async fn transient_failures_are_retried() {
    let fixture = Fixture::new().await;
    fixture.sandbox.set_faults(Faults { retry_after: 0, ..Faults::default() });
    for adapter in ADAPTERS {
        for fault in [Fault::RateLimited, Fault::Unavailable, Fault::Garbage] {
            if (adapter, fault) == (Adapter::Tracerfy, Fault::Garbage) {
                // The upload may have been accepted: see `queues`.
                continue;
            }
            fixture.sandbox.fault_next(fault, 1);
            let before = fixture.sandbox.ledger().asked;
            let answers = adapter.call(&fixture, &fixture.providers, adapter.one_call()).await;
            assert!(answers.iter().all(Result::is_ok), "{adapter:?} {fault:?}");
            let queries = fixture.sandbox.ledger().asked - before;
            assert_eq!(queries, answers.len() as u64, "{adapter:?} {fault:?}: a call that failed was not worked on");
        }
    }
}

#[tokio::test]
async fn an_unreachable_address_is_an_api_error() {
    let fixture = Fixture::new().await;
    let providers = providers(&fixture, 0);
    let Fixture { sandbox, .. } = &fixture;
    sandbox.close().await;
    for adapter in ADAPTERS {
        let answers = adapter.call(&fixture, &providers, adapter.one_call()).await;
        for error in answers.iter().filter_map(|answer| answer.as_ref().err()) {
            assert_eq!((error.code, error.reason.as_str()), (FailureCode::ApiError, "connection"), "{adapter:?}");
        }
        assert!(answers.iter().all(Result::is_err), "{adapter:?}");
    }
}

#[tokio::test]
async fn fewer_than_ten_leads_are_a_whole_queue_of_tracerfy() {
    let fixture = Fixture::new().await;
    let answers = fixture.providers.skip_trace(fixture.request(), ProviderName::TRACERFY, &addresses(3)).await;
    assert_eq!(answers.len(), 3);
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(fixture.sandbox.ledger().asked, 3, "each is worked on once");
}

#[tokio::test]
async fn a_submitted_batch_comes_back_item_by_item() {
    use std::sync::{Arc, Mutex};
    use warp::Filter;

    let fixture = Fixture::new().await;
    let items_posted: Arc<Mutex<Vec<serde_json::Value>>> = Arc::default();
    let (posted, done) = (Arc::clone(&items_posted), Arc::new(tokio::sync::Notify::new()));
    let notify = Arc::clone(&done);
    let path = || warp::path!("api" / "webhooks" / "realestate" / String);
    let hook = path().and(warp::body::json()).map(move |_token, item| {
        posted.lock().expect("a list").push(item);
        "ok"
    });
    let query = warp::query::raw().and_then(async |query: String| match query.as_str() {
        "done=1" => Ok(()),
        _ => Err(warp::reject()),
    });
    let complete = path().and(query).map(move |_token, ()| {
        notify.notify_one();
        "ok"
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("bound"));
    let server = tokio::spawn(warp::serve(complete.or(hook)).incoming(listener).run());
    let config = ProvidersConfig {
        callback_url: Some(url),
        ..ProvidersConfig::all_at(&fixture.sandbox.url(), fixture.sandbox.key())
    };
    let providers = Providers::new(fixture.pool.clone(), vault(), config).expect("an address");
    let (run, timeout) = (fixture.run, Duration::from_secs(3_600));
    let batch = BatchSubmission { run, block: BlockId::generate(), attempt: 1, timeout };
    let (tenant, queries) = (fixture.founded().await, addresses(12));
    let request = LookupContext { tenant, ..fixture.request() };
    let few = providers.submit_batches(request, &batch, &queries[..9]).await;
    assert!(few.waits_for.is_empty() && few.stopped_by.is_none(), "too few: {few:?}");
    let submitted = providers.submit_batches(request, &batch, &queries).await;
    assert!(submitted.waits_for.len() == 1 && submitted.stopped_by.is_none(), "{submitted:?}");
    assert_eq!(
        providers.submit_batches(request, &batch, &queries).await.waits_for,
        submitted.waits_for,
        "once, and no more"
    );
    let later = LookupContext { release: ArtifactId::generate(), ..request };
    assert_eq!(
        providers.submit_batches(later, &batch, &queries).await.waits_for,
        submitted.waits_for,
        "nor for another"
    );
    assert_eq!(fixture.calls("/v1/SkipTraceBatch"), 1);
    done.notified().await;
    let items = std::mem::take(&mut *items_posted.lock().expect("a list"));
    let answers: std::collections::HashMap<_, _> =
        items.iter().map(|item| realestate_async_item(item).expect("a lead's item")).collect();
    let awaited = fixture.providers.skip_trace(fixture.request(), ProviderName::REALESTATE, &queries).await;
    assert_eq!(answers.len(), 12);
    for (query, answer) in queries.iter().zip(&awaited) {
        assert_eq!(answers[&query.lead_id].as_ref().expect("an answer"), &answer.as_ref().expect("answered").found);
    }
    server.abort();
}

#[test]
fn an_item_without_a_lead_is_refused() {
    assert!(realestate_async_item(&serde_json::json!({"match": true})).is_err());
}
