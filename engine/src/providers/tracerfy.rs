//! Tracerfy: leads are uploaded as a queue of at least ten rows, and the queue is read when it has been worked on.
//!
//! Rows come back with the names and addresses that were uploaded, and are found again by them. An upload is paid for: it is
//! noted before it is made, and one of which nothing was heard is looked for (`lost`) before it is made again.

mod lost;

use std::collections::{BTreeMap, HashMap};

use luci_schema::{FailureCode, LeadId, Micros, Stage};
use reqwest::multipart::Form;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::{
    Caller, Errand, ProviderName,
    ask::{Api, Outcome, digest, unread},
    fields::{number, text},
    queues::{self, Question, Upload},
    send::{self, SendError},
};
use crate::provider::{FoundPhone, PhoneKind, Price, ProviderError, TRACERFY_TRACE, TraceMatch, TraceQuery};

const QUEUE: usize = 250;
/// A shorter queue is refused; its rows are repeated.
const SHORTEST_QUEUE: usize = 10;
/// Fields of a row that say whose it is.
const WHOSE: [&str; 6] = ["first_name", "last_name", "address", "city", "state", "zip"];

pub struct Tracerfy(Caller);

impl Tracerfy {
    /// Answers the queue's number.
    async fn upload(&self, errand: Errand<'_>, rows: &[Value]) -> Result<u64, SendError> {
        let (url, rows) = (self.0.url("/v1/api/trace/"), json!(rows).to_string());
        let form = || {
            let columns = WHOSE.iter().fold(Form::new(), |form, name| form.text(format!("{name}_column"), *name));
            columns.text("trace_type", "normal").text("json_data", rows.clone())
        };
        let answer = self.0.submit(errand, |client| client.post(&url).bearer_auth(self.0.key()).multipart(form()));
        number(&answer.await?, "queue_id").ok_or_else(|| send::no_id(Self::PROVIDER.as_str()))
    }

    /// Looks until the queue has been worked on.
    async fn rows(&self, errand: Errand<'_>, queue: u64) -> Result<Vec<Value>, ProviderError> {
        let errand = errand.about(0);
        let (url, until) = (self.0.url(&format!("/v1/api/queue/{queue}")), Instant::now() + self.0.retry().give_up);
        loop {
            match self.0.ask(errand, |client| client.get(&url).bearer_auth(self.0.key())).await? {
                Value::Array(rows) if !rows.is_empty() => return Ok(rows),
                Value::Array(_) => {}
                Value::Object(state) if state.get("pending").and_then(Value::as_bool) != Some(false) => {}
                _ => return Err(error(FailureCode::ApiError, "bad_answer")),
            }
            if Instant::now() >= until {
                return Err(error(FailureCode::Timeout, "queue_pending"));
            }
            tokio::time::sleep(self.0.retry().poll).await;
        }
    }

    /// Notes the questions, uploads them, notes their queue before it is looked at, and reads it. When it is not known what
    /// came of the upload it is looked for, and not made again by this attempt: it may show late.
    async fn fresh(
        &self,
        errand: Errand<'_>,
        queries: &[&TraceQuery],
    ) -> Result<Vec<Outcome<TraceMatch>>, ProviderError> {
        let rows: Vec<Value> = queries.iter().cycle().take(queries.len().max(SHORTEST_QUEUE)).map(|q| row(q)).collect();
        let begun = (Micros::now().date_time(), rows.len() as u64);
        self.note(errand, None, queries).await.map_err(|error| unread::<Self>(&error))?;
        match self.upload(errand.about(queries.len()), &rows).await {
            Ok(queue) => {
                if let Err(error) = self.note(errand, Some(queue), queries).await {
                    tracing::error!(queue, %error, "a queue that was uploaded could not be noted");
                }
                Ok(by_person(&self.rows(errand, queue).await?, queries))
            }
            Err(SendError::Refused(error)) => {
                self.forget(errand, queries.iter().map(|query| question(query)).collect()).await;
                Err(error)
            }
            Err(SendError::Unknown(error)) => {
                tracing::warn!(%error, rows = rows.len(), "it is not known what came of an upload");
                tokio::time::sleep(self.0.retry().base).await;
                self.find(errand, queries, begun).await?.ok_or(error)
            }
        }
    }

    /// Reads a queue that an earlier attempt uploaded. Questions that it does not answer are in it no longer.
    async fn again(&self, errand: Errand<'_>, queue: u64, queries: &[&TraceQuery]) -> Vec<Outcome<TraceMatch>> {
        let (gone, outcomes) = match self.rows(errand, queue).await {
            Ok(rows) => (true, by_person(&rows, queries)),
            Err(error) => (error.reason == "http_404", queries.iter().map(|_| Err(error.clone())).collect()),
        };
        let unanswered = queries.iter().zip(&outcomes).filter(|(_, outcome)| gone && outcome.is_err());
        self.forget(errand, unanswered.map(|(query, _)| question(query)).collect()).await;
        outcomes
    }

    async fn note(&self, errand: Errand<'_>, queue: Option<u64>, queries: &[&TraceQuery]) -> Result<(), sqlx::Error> {
        let rows = queries.len().max(SHORTEST_QUEUE);
        let questions: Vec<Question> = queries.iter().map(|query| question(query)).collect();
        queues::note(&mut *self.0.pool().acquire().await?, &errand.asking, queue, rows, &questions).await
    }

    /// These questions are in no queue. Where that cannot be written, the queue is looked for in vain once more.
    async fn forget(&self, errand: Errand<'_>, questions: Vec<Question>) {
        if questions.is_empty() {
            return;
        }
        let forgotten =
            async { queues::forget(&mut *self.0.pool().acquire().await?, &errand.asking, &questions).await };
        if let Err(error) = forgotten.await {
            tracing::warn!(%error, "a queue that is not there could not be forgotten");
        }
    }
}

fn question(query: &TraceQuery) -> Question {
    (query.lead_id, digest::<Tracerfy>(query))
}

impl Api for Tracerfy {
    const PROVIDER: ProviderName = ProviderName::Tracerfy;
    type Query = TraceQuery;
    type Match = TraceMatch;
    const PRICE: Price = TRACERFY_TRACE;
    const STAGE: Stage = Stage::SkipTrace;

    fn new(caller: Caller) -> Self {
        Self(caller)
    }

    fn lead(query: &TraceQuery) -> LeadId {
        query.lead_id
    }

    fn batch(left: usize) -> usize {
        left.min(QUEUE)
    }

    async fn call(
        &self,
        errand: Errand<'_>,
        queries: &[&TraceQuery],
    ) -> Result<Vec<Outcome<TraceMatch>>, ProviderError> {
        let leads: Vec<LeadId> = queries.iter().map(|query| query.lead_id).collect();
        let uploaded = async { queues::of(&mut *self.0.pool().acquire().await?, &errand.asking, &leads).await };
        let uploaded = uploaded.await.map_err(|error| unread::<Self>(&error))?;
        let mut new: Vec<usize> = Vec::new();
        let mut by_upload: BTreeMap<Upload, Vec<usize>> = BTreeMap::new();
        for (n, query) in queries.iter().enumerate() {
            match uploaded.get(&question(query)) {
                Some(upload) => by_upload.entry(*upload).or_default().push(n),
                None => new.push(n),
            }
        }
        let mut outcomes: Vec<Option<Outcome<TraceMatch>>> = queries.iter().map(|_| None).collect();
        let part = |places: &[usize]| -> Vec<&TraceQuery> { places.iter().map(|n| queries[*n]).collect() };
        let mut answer = |places: Vec<usize>, answers: Vec<Outcome<TraceMatch>>| {
            places.into_iter().zip(answers).for_each(|(n, answer)| outcomes[n] = Some(answer));
        };
        // Of all: the caller may know what to do about it.
        let all_or_each = |places: &[usize], error: ProviderError| match places.len() == queries.len() {
            true => Err(error),
            false => Ok(places.iter().map(|_| Err(error.clone())).collect()),
        };
        for (upload, places) in by_upload {
            let asked = part(&places);
            let found = match upload {
                Upload::Queue(queue) => Ok(Some(self.again(errand, queue, &asked).await)),
                Upload::Perhaps { since, rows } => self.find(errand, &asked, (since, rows)).await,
            };
            match found {
                Ok(Some(answers)) => answer(places, answers),
                Ok(None) => new.extend(places),
                Err(error) => {
                    let answers = all_or_each(&places, error)?;
                    answer(places, answers);
                }
            }
        }
        if !new.is_empty() {
            let answers = match self.fresh(errand, &part(&new)).await {
                Ok(answers) => answers,
                Err(error) => all_or_each(&new, error)?,
            };
            answer(new, answers);
        }
        let missing = || Err(error(FailureCode::ApiError, "missing_answer"));
        Ok(outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(missing)).collect())
    }
}

fn error(code: FailureCode, reason: &str) -> ProviderError {
    ProviderError::new(ProviderName::Tracerfy, code, reason)
}

fn row(query: &TraceQuery) -> Value {
    json!({"first_name": query.first_name, "last_name": query.last_name, "address": query.address,
           "city": query.city, "state": query.state, "zip": query.zip})
}

/// Whose row it is, in one spelling.
fn whose(row: &Value) -> String {
    let field = |name: &&str| text(row, &[name]).unwrap_or_default().to_lowercase();
    WHOSE.iter().map(field).collect::<Vec<_>>().join("\u{1f}")
}

/// A row that is missing is no answer: it can be asked for again.
fn by_person(rows: &[Value], queries: &[&TraceQuery]) -> Vec<Outcome<TraceMatch>> {
    let rows: HashMap<String, &Value> = rows.iter().map(|row| (whose(row), row)).collect();
    let outcome = |query: &&TraceQuery| match rows.get(&whose(&row(query))) {
        Some(row) => Ok(trace_match(row)),
        None => Err(error(FailureCode::ApiError, "missing_answer")),
    };
    queries.iter().map(outcome).collect()
}

fn trace_match(row: &Value) -> Option<TraceMatch> {
    let mut phones: Vec<FoundPhone> = Vec::new();
    let mut add = |number: Option<String>, kind: PhoneKind| {
        if let Some(number) = number.filter(|number| phones.iter().all(|phone| phone.number != *number)) {
            phones.push(FoundPhone { number, kind, do_not_call: false, connected: None });
        }
    };
    let primary = match text(row, &["primary_phone_type"]).as_deref() {
        Some("Mobile") => PhoneKind::Mobile,
        Some("Landline") => PhoneKind::Landline,
        _ => PhoneKind::Unknown,
    };
    add(text(row, &["primary_phone"]), primary);
    let numbered = |name: &str, many: usize| -> Vec<String> {
        (1..=many).filter_map(|n| text(row, &[&format!("{name}_{n}")])).collect()
    };
    numbered("mobile", 5).into_iter().for_each(|number| add(Some(number), PhoneKind::Mobile));
    numbered("landline", 3).into_iter().for_each(|number| add(Some(number), PhoneKind::Landline));
    let found = TraceMatch {
        phones,
        emails: numbered("email", 5),
        addresses: numbered("past_address", 5),
        relatives: numbered("relative", 8),
        age: number(row, "age").and_then(|age| u32::try_from(age).ok()),
    };
    Some(found).filter(|found| *found != TraceMatch::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(last: &str) -> TraceQuery {
        TraceQuery {
            lead_id: LeadId::generate(),
            first_name: Some("Ana".into()),
            last_name: Some(last.into()),
            address: "1 Main St".into(),
            city: "Albany".into(),
            state: "NY".into(),
            zip: None,
        }
    }

    #[test]
    fn a_documented_row_is_read_and_found_by_its_person() {
        let (one, two, three) = (query("Diaz"), query("Moss"), query("Ray"));
        let rows = [
            json!({ "first_name": "ANA", "last_name": "moss", "address": "1 Main St", "city": "Albany", "state": "NY",
                    "zip": "", "primary_phone": "", "primary_phone_type": "", "mobile_1": "", "email_1": "" }),
            json!({ "first_name": "Ana", "last_name": "Diaz", "address": "1 Main St", "city": "Albany", "state": "NY",
                    "primary_phone": "5185550101", "primary_phone_type": "Mobile", "mobile_1": "5185550101",
                    "mobile_2": "5185550102", "landline_1": "5185550103", "email_1": "ana@mail.test", "age": "51" }),
        ];
        let outcomes = by_person(&rows, &[&one, &two, &three]);
        let found = outcomes[0].as_ref().unwrap().as_ref().unwrap();
        let kinds: Vec<_> = found.phones.iter().map(|phone| (phone.number.as_str(), phone.kind)).collect();
        let expected =
            [("5185550101", PhoneKind::Mobile), ("5185550102", PhoneKind::Mobile), ("5185550103", PhoneKind::Landline)];
        assert_eq!(kinds, expected);
        assert_eq!((found.emails.len(), found.age), (1, Some(51)));
        assert_eq!(outcomes[1], Ok(None));
        assert_eq!(outcomes[2].as_ref().unwrap_err().reason, "missing_answer");
    }
}
