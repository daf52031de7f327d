//! Facts about a phone number, and the APIs that look up one number per call.

use std::marker::PhantomData;

use luci_leads::{PhoneKind, enrich::found::FoundPhone};
use luci_schema::{FailureCode, LeadId, Stage};
use reqwest::{Client, RequestBuilder};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    call::{Caller, Charge},
    error::ProviderError,
    fields::phone_kind,
    lookup_api::{LookupApi, LookupOutcome},
    name::ProviderName,
    price::Price,
    reason::Reason,
};

/// A number to look up, as E.164.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhoneQuery {
    #[serde(skip)]
    pub lead_id: LeadId,
    pub number: String,
    /// The expected owner, for sources with `PhoneSubject::NumberAndName`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What a provider knows of a number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PhoneFacts {
    pub kind: PhoneKind,
    /// `None` when unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_use: Option<bool>,
    /// The owner is known to sue callers.
    #[serde(default)]
    pub litigator: bool,
    /// How well name and number match, A to F.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<char>,
}

impl PhoneFacts {
    /// Updates a found number. A litigator's number is marked as do-not-call.
    pub fn apply_to(&self, phone: &mut FoundPhone) {
        if self.kind != PhoneKind::Unknown {
            phone.kind = self.kind;
        }
        phone.connected = self.in_use.or(phone.connected);
        phone.do_not_call |= self.litigator;
    }
}

/// Numbers of one lead that are looked up at most; bounds the cost of a lead.
pub const MAX_NUMBERS: usize = 5;

/// What a lookup needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PhoneSubject {
    Number,
    NumberAndName,
}

/// An API that looks up one number a call: how to make a request, and how to read the answer.
pub(crate) trait PhoneApi: Send + Sync + 'static {
    const PROVIDER: ProviderName;
    const PRICE: Price;

    fn request(caller: &Caller, client: &Client, query: &PhoneQuery) -> RequestBuilder;
    /// `None` when the answer is not of the documented shape.
    fn read(answer: &Value) -> Option<PhoneFacts>;
}

/// A `PhoneApi` as a `LookupApi`.
pub(crate) struct SingleNumber<P>(Caller, PhantomData<P>);

impl<P: PhoneApi> LookupApi for SingleNumber<P> {
    const PROVIDER: ProviderName = P::PROVIDER;
    type Query = PhoneQuery;
    type Match = PhoneFacts;
    const PRICE: Price = P::PRICE;
    const STAGE: Stage = Stage::SkipTrace;

    fn new(caller: Caller) -> Self {
        Self(caller, PhantomData)
    }

    fn lead(query: &PhoneQuery) -> LeadId {
        query.lead_id
    }

    fn batch(_: usize) -> usize {
        1
    }

    async fn call(
        &self,
        charge: Charge<'_>,
        queries: &[&PhoneQuery],
    ) -> Result<Vec<LookupOutcome<PhoneFacts>>, ProviderError> {
        let mut outcomes = Vec::with_capacity(queries.len());
        for query in queries {
            let answer = self.0.request(charge.for_people(1), |client| P::request(&self.0, client, query)).await?;
            let bad = || ProviderError::new(P::PROVIDER, FailureCode::ApiError, Reason::BadAnswer);
            outcomes.push(P::read(&answer).map(Some).ok_or_else(bad));
        }
        Ok(outcomes)
    }
}

/// `FixedVOIP` is VoIP, not a landline; toll-free and premium lines belong to no person.
pub(crate) fn line_type(text: Option<&str>) -> PhoneKind {
    match text {
        Some(text) if text.eq_ignore_ascii_case("tollFree") || text.eq_ignore_ascii_case("premium") => {
            PhoneKind::Unknown
        }
        text => phone_kind(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toll_free_and_premium_lines_belong_to_nobody() {
        for kind in ["tollFree", "TollFree", "premium", "Other"] {
            assert_eq!(line_type(Some(kind)), PhoneKind::Unknown, "{kind}");
        }
        assert_eq!(line_type(Some("NonFixedVOIP")), PhoneKind::Voip);
        assert_eq!(line_type(Some("Landline")), PhoneKind::Landline);
    }
}
