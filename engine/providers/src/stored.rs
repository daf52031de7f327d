//! Decodes stored answers. An answer that cannot be decoded is an error: it was paid for, and must not be
//! bought again unseen.

use std::collections::{HashMap, HashSet};

use luci_schema::{FailureCode, LeadId};

use crate::{
    answer::{Answer, LookupContext},
    error::ProviderError,
    lookup_api::{LookupApi, not_called},
    reason::Reason,
    results::PaidAnswer,
};

/// By lead and request digest.
pub type StoredAnswers<M> = HashMap<(LeadId, String), Result<Answer<M>, ProviderError>>;

/// Decodes the rows that answer one of `keys`; a stage stores other queries of the same leads as well.
pub fn decode<A: LookupApi>(
    context: &LookupContext<'_>,
    keys: &HashSet<(LeadId, String)>,
    rows: Vec<PaidAnswer>,
) -> StoredAnswers<A::Match> {
    let mut answers = HashMap::with_capacity(rows.len());
    for PaidAnswer { lead_id, request_digest, outcome, cost_micros, paid_by } in rows {
        let key = (lead_id, request_digest.clone());
        if !keys.contains(&key) {
            continue;
        }
        let answer = match serde_json::from_str(&outcome) {
            Ok(found) => Ok(Answer { found, cost_micros, paid_by, request_digest }),
            Err(error) => Err(unreadable::<A>(context, &key, &error)),
        };
        answers.insert(key, answer);
    }
    answers
}

/// The JSON error itself may quote personal data: only its kind and place are given.
fn unreadable<A: LookupApi>(
    context: &LookupContext<'_>,
    (lead, digest): &(LeadId, String),
    error: &serde_json::Error,
) -> ProviderError {
    let (root_run, stage, column) = (context.root_run, A::STAGE.as_str(), error.column());
    let kind = format!("{:?}", error.classify()).to_lowercase();
    tracing::error!(
        tenant.id = %context.tenant, root_run.id = %root_run, lead.id = %lead, stage, provider = %A::PROVIDER,
        request_digest = digest, kind, column, "stored answer cannot be decoded"
    );
    let detail = format!(
        "the stored answer of lead {lead} (root run {root_run}, stage {stage}, request digest {digest}) cannot be decoded \
         ({kind} error at column {column}); it is paid for and not bought again: correct or delete the row in \
         provider_results, then send the leads again"
    );
    let error = not_called::<A>(FailureCode::Internal, Reason::StoredAnswerUnreadable);
    ProviderError { detail: Some(detail), ..error }
}

#[cfg(test)]
mod tests {
    use luci_leads::enrich::found::TraceMatch;
    use luci_schema::{ArtifactId, RunId, TenantId, event::RunPrices};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{CallState, apis::realestate::RealEstate};

    #[test]
    fn a_stored_answer_that_cannot_be_decoded_is_an_error_and_not_missing() {
        let (prices, stop) = (RunPrices::default(), CancellationToken::new());
        let context = LookupContext {
            tenant: TenantId::generate(),
            root_run: RunId::generate(),
            release: ArtifactId::generate(),
            prices: &prices,
            stop: &stop,
        };
        let row = |outcome: &str| PaidAnswer {
            lead_id: LeadId::generate(),
            request_digest: "d1".into(),
            outcome: outcome.into(),
            cost_micros: 1,
            paid_by: None,
        };
        let rows = vec![row("null"), row(r#"{"phones":"Ana"}"#), row("{ of another query")];
        let keys: Vec<_> = rows.iter().map(|row| (row.lead_id, row.request_digest.clone())).collect();
        let queried = keys[..2].iter().cloned().collect();
        let answers = decode::<RealEstate>(&context, &queried, rows);
        assert_eq!(answers[&keys[0]].as_ref().map(|answer| answer.found.clone()), Ok(None::<TraceMatch>));
        let error = answers[&keys[1]].as_ref().unwrap_err();
        assert_eq!((&error.reason, error.call), (&Reason::StoredAnswerUnreadable, CallState::NotMade));
        let detail = error.detail.as_deref().unwrap();
        assert!(detail.contains(&keys[1].0.to_string()) && !detail.contains("Ana"), "{detail}");
        assert!(error.stops_block() && !answers.contains_key(&keys[2]));
    }
}
