//! ENRICH: who is behind the lead, asked of Apollo.

use std::collections::HashSet;

use futures::{FutureExt, future::BoxFuture};
use luci_schema::{Stage, event::BlockReport};
use serde::Deserialize;
use sqlx::PgConnection;

use super::{
    ask::{self, Source},
    outcome,
};
use crate::{
    block::{BlockFault, BlockKind, Progress, Task, Tools},
    book,
    lead::{Lead, merge, qualify},
    provider::{Answers, OrganizationQuery, PersonMatch, PersonQuery, ProviderName},
};

pub(super) struct Enrich;

impl BlockKind for Enrich {
    fn stage(&self) -> Stage {
        Stage::Enrich
    }

    fn provider(&self, task: &Task) -> String {
        ask::provider_of::<Self>(task)
    }

    fn outside(&self) -> bool {
        true
    }

    fn run<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        progress: &'a Progress,
    ) -> BoxFuture<'a, Result<BlockReport, BlockFault>> {
        async move {
            outcome::config::<Settings>(task)?;
            ask::run(self, task, tools, progress).await
        }
        .boxed()
    }
}

impl Source for Enrich {
    type Query = PersonQuery;
    type Match = PersonMatch;

    const STAGE: Stage = Stage::Enrich;
    /// Ten calls of ten people.
    const PORTION: usize = 100;

    fn query(lead: &Lead) -> Option<PersonQuery> {
        qualify::person_query(lead)
    }

    fn ask<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        _: ProviderName,
        queries: &'a [PersonQuery],
    ) -> BoxFuture<'a, Answers<PersonMatch>> {
        async move {
            let mut answers = tools.providers.people_match(task.asking(), queries).await;
            if let Ok(Settings { organizations: Organizations::Ask, .. }) = outcome::config(task) {
                companies(task, tools, queries, &mut answers).await;
            }
            answers
        }
        .boxed()
    }

    fn merge(lead: &mut Lead, _: ProviderName, found: &PersonMatch) {
        merge::person(lead, found);
    }

    fn keep<'a>(c: &'a mut PgConnection, task: &'a Task, leads: &'a [Lead]) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        book::contacts::save(c, task.tenant, ProviderName::Apollo.as_str(), leads).boxed()
    }
}

/// The stage's settings.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Settings {
    organizations: Organizations,
}

/// Whether companies are asked about, at a price of their own.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Organizations {
    #[default]
    Leave,
    /// For people who were found without their company, by the domain that is known of the lead.
    Ask,
}

async fn companies(task: &Task, tools: &Tools, queries: &[PersonQuery], answers: &mut Answers<PersonMatch>) {
    let mut asked: Vec<usize> = Vec::new();
    let mut domains: Vec<OrganizationQuery> = Vec::new();
    for (n, (query, answer)) in queries.iter().zip(answers.iter()).enumerate() {
        let found = answer.as_ref().ok().and_then(|answer| answer.found.as_ref());
        let alone = found.is_some_and(|person| person.organization.is_none());
        if let Some(domain) = query.identifiers.domain.as_ref().filter(|_| alone) {
            asked.push(n);
            domains.push(OrganizationQuery { lead_id: query.lead_id, domain: domain.to_lowercase() });
        }
    }
    let mut counted = HashSet::new();
    let known = tools.providers.organizations(task.asking(), &domains).await;
    for (n, answer) in asked.into_iter().zip(known) {
        let Ok(answer) = answer else { continue };
        // Two rows of one lead that ask the same are paid for once.
        if counted.insert((queries[n].lead_id, answer.request_digest.clone())) {
            task.spent.add(answer.cost_to(task.block.artifact_id));
        }
        if let Some(person) = answers[n].as_mut().ok().and_then(|answer| answer.found.as_mut()) {
            person.organization = answer.found;
        }
    }
}
