//! Lookups: order, cost, and stored answers that are not paid twice.

use luci_leads::PhoneKind;
use luci_providers::{Answers, LookupContext, ProviderName};
use luci_schema::{ArtifactId, LeadId, RunId, TenantId, event::RunPrices};

use super::fixture::{Fixture, addresses, people};

fn found<T>(answers: &Answers<T>) -> usize {
    answers.iter().filter(|answer| answer.as_ref().expect("answered").found.is_some()).count()
}

#[tokio::test]
async fn results_come_back_in_request_order_ten_a_call() {
    let fixture = Fixture::new().await;
    let queries = people(205);
    let answers = fixture.providers.people_match(fixture.request(), ProviderName::APOLLO, &queries).await;
    assert_eq!(answers.len(), 205);
    assert_eq!(fixture.calls("/api/v1/people/bulk_match"), 21);
    let found = found(&answers);
    assert!((150..=190).contains(&found), "{found} of 205 found");
    for (query, answer) in queries.iter().zip(&answers) {
        let answer = answer.as_ref().expect("answered");
        if let Some(person) = &answer.found {
            assert_eq!(person.first_name, query.identifiers.first_name);
            assert_eq!(answer.cost_micros, 100_000);
        } else {
            assert_eq!(answer.cost_micros, 0);
        }
    }
    assert_eq!(fixture.sandbox.ledger().billed, found as u64);
}

#[tokio::test]
async fn a_single_person_uses_the_single_call() {
    let fixture = Fixture::new().await;
    fixture.providers.people_match(fixture.request(), ProviderName::APOLLO, &people(1)).await[0]
        .as_ref()
        .expect("answered");
    assert_eq!((fixture.calls("/api/v1/people/match"), fixture.calls("/api/v1/people/bulk_match")), (1, 0));
}

#[tokio::test]
async fn traces_are_mapped_by_key_and_flagged_numbers_are_not_usable() {
    let fixture = Fixture::new().await;
    let queries = addresses(250);
    let answers = fixture.providers.skip_trace(fixture.request(), ProviderName::REALESTATE, &queries).await;
    assert_eq!(fixture.calls("/v1/SkipTraceBatchAwait"), 1);
    let mut phones = Vec::new();
    for (query, answer) in queries.iter().zip(&answers) {
        // The sandbox returns the items in another order.
        if let Some(trace) = &answer.as_ref().expect("answered").found {
            assert!(trace.addresses[0].starts_with(&query.address), "{} at {:?}", query.address, trace.addresses);
            phones.extend(trace.phones.clone());
        }
    }
    assert!((190..=230).contains(&found(&answers)));
    assert!(phones.iter().any(|phone| phone.do_not_call && !phone.usable()));
    assert!(phones.iter().any(|phone| phone.connected == Some(false) && !phone.usable()));
    assert!(phones.iter().any(|phone| phone.kind == PhoneKind::Mobile && phone.usable()));
}

#[tokio::test]
async fn fewer_than_ten_are_traced_one_by_one_with_the_same_answers() {
    let fixture = Fixture::new().await;
    let queries = addresses(9);
    let single = fixture.providers.skip_trace(fixture.request(), ProviderName::REALESTATE, &queries).await;
    assert_eq!((fixture.calls("/v1/SkipTrace"), fixture.calls("/v1/SkipTraceBatchAwait")), (9, 0));
    let more = [queries, addresses(12).split_off(9)].concat();
    let batch = fixture
        .providers
        .skip_trace(LookupContext { root_run: RunId::generate(), ..fixture.request() }, ProviderName::REALESTATE, &more)
        .await;
    assert_eq!(fixture.calls("/v1/SkipTraceBatchAwait"), 1);
    for (single, batch) in single.iter().zip(&batch) {
        assert_eq!(single.as_ref().expect("answered").found, batch.as_ref().expect("answered").found);
    }
}

#[tokio::test]
async fn paid_answers_are_reused_within_the_lineage_only() {
    let fixture = Fixture::new().await;
    let queries = people(30);
    let first = fixture.providers.people_match(fixture.request(), ProviderName::APOLLO, &queries[..20]).await;
    let again = fixture.providers.people_match(fixture.request(), ProviderName::APOLLO, &queries).await;
    assert_eq!(fixture.calls("/api/v1/people/bulk_match"), 3);
    for (first, again) in first.iter().zip(&again) {
        let (first, again) = (first.as_ref().expect("answered"), again.as_ref().expect("answered"));
        assert_eq!(first, again);
        assert_eq!(first.cost_to(fixture.release), first.cost_micros);
        assert_eq!(first.cost_to(ArtifactId::generate()), 0, "the release that paid counts it, at once and later");
    }
    assert!(fixture.sandbox.ledger().billed_twice().is_empty());

    let mut renamed = queries[0].clone();
    renamed.identifiers.last_name = Some("Other".into());
    fixture.providers.people_match(fixture.request(), ProviderName::APOLLO, &[renamed]).await;
    assert_eq!(fixture.calls("/api/v1/people/match"), 1, "another question is asked");
    let mut stranger = queries[0].clone();
    stranger.lead_id = LeadId::generate();
    fixture.providers.people_match(fixture.request(), ProviderName::APOLLO, &[stranger]).await;
    fixture
        .providers
        .people_match(
            LookupContext { root_run: RunId::generate(), ..fixture.request() },
            ProviderName::APOLLO,
            &queries[..1],
        )
        .await;
    fixture
        .providers
        .people_match(
            LookupContext { tenant: TenantId::generate(), ..fixture.request() },
            ProviderName::APOLLO,
            &queries[..1],
        )
        .await;
    assert_eq!(fixture.calls("/api/v1/people/match"), 4, "another lead, lineage or tenant shares nothing");
}

#[tokio::test]
async fn an_empty_request_makes_no_call() {
    let fixture = Fixture::new().await;
    assert!(fixture.providers.skip_trace(fixture.request(), ProviderName::REALESTATE, &[]).await.is_empty());
    assert!(fixture.sandbox.ledger().calls.is_empty());
}

#[tokio::test]
async fn two_rows_of_one_lead_with_the_same_query_are_requested_once() {
    let fixture = Fixture::new().await;
    let one = people(12);
    let twice = [&one[..], &one[..3]].concat();
    let answers = fixture.providers.people_match(fixture.request(), ProviderName::APOLLO, &twice).await;
    assert_eq!(answers.len(), 15);
    assert_eq!(fixture.sandbox.ledger().asked, 12);
    for n in 0..3 {
        assert_eq!(answers[n].as_ref().expect("answered"), answers[12 + n].as_ref().expect("answered"));
    }
}

#[tokio::test]
async fn a_run_pays_the_prices_it_has_pinned_and_the_ledger_says_who_paid() {
    let fixture = Fixture::new().await;
    let queries = people(20);
    let prices = RunPrices { units: [("apollo/person_match".into(), 70_000)].into(), ..RunPrices::default() };
    let first = fixture
        .providers
        .people_match(LookupContext { prices: &prices, ..fixture.request() }, ProviderName::APOLLO, &queries)
        .await;
    let found = found(&first) as i64;
    assert!(first.iter().flatten().all(|answer| answer.found.is_none() || answer.cost_micros == 70_000));
    let ledger = async || -> (i64, i64) {
        sqlx::query_as(
            "select sum(cost_micros)::bigint, sum(paid_again_micros)::bigint from provider_results where paid_by = $1",
        )
        .bind(fixture.release)
        .fetch_one(&fixture.pool)
        .await
        .expect("sums")
    };
    assert_eq!(ledger().await, (found * 70_000, 0));
    // A later block of the same lineage uses the stored answers at no cost.
    let later = LookupContext { release: ArtifactId::generate(), prices: &prices, ..fixture.request() };
    let again = fixture.providers.people_match(later, ProviderName::APOLLO, &queries).await;
    assert_eq!(again.iter().flatten().map(|answer| answer.cost_to(later.release)).sum::<u64>(), 0);
    assert_eq!(ledger().await, (found * 70_000, 0));
}
