//! ENRICH: who is behind the lead.

use std::collections::HashSet;

use futures::{FutureExt, future::BoxFuture};
use luci_leads::{
    Lead,
    enrich::{found::PersonMatch, merge, qualify, query::PersonQuery},
    store,
};
use luci_providers::{Answers, Capability, OrganizationQuery, ProviderName};
use luci_runs::block::{BlockFault, Progress, Task};
use luci_schema::{
    Stage,
    event::{BlockReport, RunPrices},
};
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgConnection;

use crate::{
    kind::{self, StageKind, Tools},
    lookup::{self, Source},
    outcome,
    settings::{self, BadSetting},
};

pub(super) struct Enrich;

impl StageKind for Enrich {
    fn stage(&self) -> Stage {
        Stage::Enrich
    }

    fn provider(&self, task: &Task) -> String {
        lookup::provider_of::<Self>(task)
    }

    fn calls_outside(&self) -> bool {
        true
    }

    fn check(&self, config: &Value) -> Result<(), BadSetting> {
        Settings::read(config).map(drop)
    }

    fn needs(&self, config: &Value) -> Vec<ProviderName> {
        Settings::read(config).map_or_else(|_| Vec::new(), |(_, provider)| vec![provider])
    }

    fn max_cost_per_lead(&self, config: &Value, prices: &RunPrices) -> u64 {
        // Settings that cannot be read fail the block before it looks anything up.
        let Ok((settings, provider)) = Settings::read(config) else { return 0 };
        let capabilities = match settings.organizations {
            Organizations::Ask => &[Capability::PersonMatch, Capability::Organizations][..],
            Organizations::Leave => &[Capability::PersonMatch],
        };
        let prices_of = |capability: &Capability| capability.price(provider).map_or(0, |price| price.pinned(prices));
        capabilities.iter().map(prices_of).sum()
    }

    fn run<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        progress: &'a Progress,
    ) -> BoxFuture<'a, Result<BlockReport, BlockFault>> {
        async move {
            Settings::read(&task.spec.config).map_err(|bad| outcome::bad_setting(task, &bad))?;
            lookup::run(self, task, tools, progress).await
        }
        .boxed()
    }
}

impl Source for Enrich {
    type Query = PersonQuery;
    type Match = PersonMatch;

    const CAPABILITY: Capability = Capability::PersonMatch;
    /// Ten calls of ten people.
    const PORTION: usize = 100;

    fn query(lead: &Lead) -> Option<PersonQuery> {
        qualify::person_query(lead)
    }

    fn ask<'a>(
        &'a self,
        task: &'a Task,
        tools: &'a Tools,
        provider: ProviderName,
        queries: &'a [PersonQuery],
    ) -> BoxFuture<'a, Answers<PersonMatch>> {
        async move {
            let mut answers = tools.providers.people_match(kind::lookup_context(task), provider, queries).await;
            if let Ok((Settings { organizations: Organizations::Ask, .. }, _)) = Settings::read(&task.spec.config) {
                companies(task, tools, provider, queries, &mut answers).await;
            }
            answers
        }
        .boxed()
    }

    fn merge(lead: &mut Lead, _: ProviderName, found: &PersonMatch) {
        merge::person(lead, found);
    }

    fn keep<'a>(
        c: &'a mut PgConnection,
        task: &'a Task,
        provider: ProviderName,
        leads: &'a [Lead],
    ) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        store::contacts::save(c, task.tenant, provider.as_str(), leads).boxed()
    }
}

/// The stage's settings.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Settings {
    /// `apollo`, which is the default.
    provider: Option<String>,
    organizations: Organizations,
}

impl Settings {
    fn read(config: &Value) -> Result<(Self, ProviderName), BadSetting> {
        let settings: Self = settings::read(config)?;
        let provider = settings::provider(Capability::PersonMatch, settings.provider.as_deref())?;
        match (settings.organizations, Capability::Organizations.price(provider)) {
            (Organizations::Ask, Err(capable)) => Err(BadSetting::new(
                "organizations",
                format!("`leave`: only {capable} knows companies, not {provider}"),
            )),
            (Organizations::Ask, Ok(_)) | (Organizations::Leave, _) => Ok((settings, provider)),
        }
    }
}

/// Whether companies are looked up too, at a price of their own.
#[derive(Debug, Default, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Organizations {
    #[default]
    Leave,
    /// For people found without their company, by the lead's domain.
    Ask,
}

async fn companies(
    task: &Task,
    tools: &Tools,
    provider: ProviderName,
    queries: &[PersonQuery],
    answers: &mut Answers<PersonMatch>,
) {
    let mut positions: Vec<usize> = Vec::new();
    let mut domains: Vec<OrganizationQuery> = Vec::new();
    for (n, (query, answer)) in queries.iter().zip(answers.iter()).enumerate() {
        let found = answer.as_ref().ok().and_then(|answer| answer.found.as_ref());
        let alone = found.is_some_and(|person| person.organization.is_none());
        if let Some(domain) = query.identifiers.domain.as_ref().filter(|_| alone) {
            positions.push(n);
            domains.push(OrganizationQuery { lead_id: query.lead_id, domain: domain.to_lowercase() });
        }
    }
    let mut counted = HashSet::new();
    let known = tools.providers.organizations(kind::lookup_context(task), provider, &domains).await;
    for (n, answer) in positions.into_iter().zip(known) {
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn company_lookups_are_held_back_too() {
        let most = |config| Enrich.max_cost_per_lead(&config, &RunPrices::default());
        assert_eq!(most(json!({})), 100_000);
        assert_eq!(most(json!({"organizations": "ask"})), 150_000);
    }

    #[test]
    fn settings_of_other_stages_are_refused() {
        let field = |config| Enrich.check(&config).expect_err("refused").field;
        assert_eq!(field(json!({"mode": "webhook"})), "mode");
        assert_eq!(field(json!({"verify": "twilio"})), "verify");
        assert_eq!(field(json!({"provider": "tracerfy"})), "provider");
        assert_eq!(field(json!({"organisations": "ask"})), "organisations");
        assert_eq!(field(json!({"organizations": "maybe"})), "organizations");
        Enrich.check(&json!({"provider": "apollo", "organizations": "leave"})).expect("right");
    }
}
