//! Who is found, in which order, at what cost, and that nobody is paid for twice.

use luci_engine::provider::{Answers, Asking, PhoneKind, ProviderName};
use luci_schema::{ArtifactId, LeadId, RunId, TenantId, event::RunPrices};

use super::ground::{Ground, addresses, people};

fn found<T>(answers: &Answers<T>) -> usize {
    answers.iter().filter(|answer| answer.as_ref().expect("answered").found.is_some()).count()
}

#[tokio::test]
async fn people_come_back_in_the_order_asked_ten_a_call() {
    let ground = Ground::new().await;
    let asked = people(205);
    let answers = ground.providers.people_match(ground.asking(), &asked).await;
    assert_eq!(answers.len(), 205);
    assert_eq!(ground.calls("/api/v1/people/bulk_match"), 21);
    let found = found(&answers);
    assert!((150..=190).contains(&found), "{found} of 205 found");
    for (query, answer) in asked.iter().zip(&answers) {
        let answer = answer.as_ref().expect("answered");
        if let Some(person) = &answer.found {
            assert_eq!(person.first_name, query.identifiers.first_name);
            assert_eq!(answer.cost_micros, 100_000);
        } else {
            assert_eq!(answer.cost_micros, 0);
        }
    }
    assert_eq!(ground.sandbox.ledger().billed, found as u64);
}

#[tokio::test]
async fn a_single_person_uses_the_single_call() {
    let ground = Ground::new().await;
    ground.providers.people_match(ground.asking(), &people(1)).await[0].as_ref().expect("answered");
    assert_eq!((ground.calls("/api/v1/people/match"), ground.calls("/api/v1/people/bulk_match")), (1, 0));
}

#[tokio::test]
async fn traces_are_mapped_by_key_and_flagged_numbers_are_not_usable() {
    let ground = Ground::new().await;
    let asked = addresses(250);
    let answers = ground.providers.skip_trace(ground.asking(), ProviderName::RealEstate, &asked).await;
    assert_eq!(ground.calls("/v1/SkipTraceBatchAwait"), 1);
    let mut phones = Vec::new();
    for (query, answer) in asked.iter().zip(&answers) {
        // The sandbox sends the items back in another order.
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
    let ground = Ground::new().await;
    let asked = addresses(9);
    let single = ground.providers.skip_trace(ground.asking(), ProviderName::RealEstate, &asked).await;
    assert_eq!((ground.calls("/v1/SkipTrace"), ground.calls("/v1/SkipTraceBatchAwait")), (9, 0));
    let more = [asked, addresses(12).split_off(9)].concat();
    let batch = ground
        .providers
        .skip_trace(Asking { root_run: RunId::generate(), ..ground.asking() }, ProviderName::RealEstate, &more)
        .await;
    assert_eq!(ground.calls("/v1/SkipTraceBatchAwait"), 1);
    for (single, batch) in single.iter().zip(&batch) {
        assert_eq!(single.as_ref().expect("answered").found, batch.as_ref().expect("answered").found);
    }
}

#[tokio::test]
async fn what_was_paid_for_is_not_asked_again_by_this_lineage_only() {
    let ground = Ground::new().await;
    let asked = people(30);
    let first = ground.providers.people_match(ground.asking(), &asked[..20]).await;
    let again = ground.providers.people_match(ground.asking(), &asked).await;
    assert_eq!(ground.calls("/api/v1/people/bulk_match"), 3);
    for (first, again) in first.iter().zip(&again) {
        let (first, again) = (first.as_ref().expect("answered"), again.as_ref().expect("answered"));
        assert_eq!(first, again);
        assert_eq!(first.cost_to(ground.release), first.cost_micros);
        assert_eq!(first.cost_to(ArtifactId::generate()), 0, "the release that paid counts it, at once and later");
    }
    assert!(ground.sandbox.ledger().billed_twice().is_empty());

    let mut renamed = asked[0].clone();
    renamed.identifiers.last_name = Some("Other".into());
    ground.providers.people_match(ground.asking(), &[renamed]).await;
    assert_eq!(ground.calls("/api/v1/people/match"), 1, "another question is asked");
    let mut stranger = asked[0].clone();
    stranger.lead_id = LeadId::generate();
    ground.providers.people_match(ground.asking(), &[stranger]).await;
    ground.providers.people_match(Asking { root_run: RunId::generate(), ..ground.asking() }, &asked[..1]).await;
    ground.providers.people_match(Asking { tenant: TenantId::generate(), ..ground.asking() }, &asked[..1]).await;
    assert_eq!(ground.calls("/api/v1/people/match"), 4, "another lead, lineage or tenant shares nothing");
}

#[tokio::test]
async fn nobody_asked_is_no_call() {
    let ground = Ground::new().await;
    assert!(ground.providers.skip_trace(ground.asking(), ProviderName::RealEstate, &[]).await.is_empty());
    assert!(ground.sandbox.ledger().calls.is_empty());
}

#[tokio::test]
async fn two_rows_of_one_lead_that_ask_the_same_are_asked_once() {
    let ground = Ground::new().await;
    let one = people(12);
    let twice = [&one[..], &one[..3]].concat();
    let answers = ground.providers.people_match(ground.asking(), &twice).await;
    assert_eq!(answers.len(), 15);
    assert_eq!(ground.sandbox.ledger().asked, 12);
    for n in 0..3 {
        assert_eq!(answers[n].as_ref().expect("answered"), answers[12 + n].as_ref().expect("answered"));
    }
}

#[tokio::test]
async fn a_run_pays_the_prices_it_has_pinned_and_the_ledger_says_who_paid() {
    let ground = Ground::new().await;
    let asked = people(20);
    let prices = RunPrices { units: [("apollo/person_match".into(), 70_000)].into(), ..RunPrices::default() };
    let first = ground.providers.people_match(Asking { prices: &prices, ..ground.asking() }, &asked).await;
    let found = found(&first) as i64;
    assert!(first.iter().flatten().all(|answer| answer.found.is_none() || answer.cost_micros == 70_000));
    let ledger = async || -> (i64, i64) {
        sqlx::query_as(
            "select sum(cost_micros)::bigint, sum(paid_again_micros)::bigint from provider_results where paid_by = $1",
        )
        .bind(ground.release)
        .fetch_one(&ground.pool)
        .await
        .expect("sums")
    };
    assert_eq!(ledger().await, (found * 70_000, 0));
    // A later release of the same lineage finds the answers, and counts none of them.
    let later = Asking { release: ArtifactId::generate(), prices: &prices, ..ground.asking() };
    let again = ground.providers.people_match(later, &asked).await;
    assert_eq!(again.iter().flatten().map(|answer| answer.cost_to(later.release)).sum::<u64>(), 0);
    assert_eq!(ledger().await, (found * 70_000, 0));
}
