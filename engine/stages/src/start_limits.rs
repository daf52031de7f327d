//! The daily limits of providers that a run will reach, told when it starts: it then waits for the next day of UTC.

use std::collections::BTreeMap;

use luci_config::AdminError;
use luci_providers::{
    ProviderName, Scope, credentials,
    descriptor::Limits,
    limits::{self, DayQuota},
};
use luci_schema::{Stage, TenantId, event::StageSpec};
use serde::Serialize;
use sqlx::PgConnection;

/// A limit that is smaller than the run's leads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ReachedLimit {
    pub stage: Stage,
    pub provider: ProviderName,
    /// Of the input.
    pub leads: u64,
    /// Lookups that are left today.
    pub left_today: u64,
    pub per_day: u32,
    /// Midnights of UTC that the run waits for, if every lead is looked up.
    pub days: u64,
}

/// The limits that a run of `leads` leads reaches. `installation` has the limits of the installation's credentials. Stages that
/// share a provider share its limit.
pub async fn reached(
    c: &mut PgConnection,
    tenant: TenantId,
    installation: &BTreeMap<ProviderName, Limits>,
    stages: &[StageSpec],
    leads: u64,
) -> Result<Vec<ReachedLimit>, AdminError> {
    let own = credentials::list(c, tenant).await?;
    let mut asked: BTreeMap<ProviderName, u64> = BTreeMap::new();
    let mut reached = Vec::new();
    let needs = |spec: &StageSpec| crate::needs(spec).into_iter().map(|name| (spec.stage, name)).collect::<Vec<_>>();
    for (stage, provider) in stages.iter().flat_map(needs) {
        let has_own = own.iter().any(|(name, _)| name == provider.as_str());
        let scope = if has_own { Scope::Tenant(tenant) } else { Scope::Installation };
        let chosen = limits::own(c, tenant, provider).await?;
        let limits = limits::of_account(scope, chosen, installation.get(&provider).copied().unwrap_or_default());
        let Some(quota) = limits::day_quota(c, tenant, provider, scope, &limits).await? else { continue };
        let total = asked.entry(provider).or_default();
        *total += leads;
        reached.extend(beyond(*total, quota).map(|days| ReachedLimit {
            stage,
            provider,
            leads,
            left_today: quota.left,
            per_day: quota.per_day,
            days,
        }));
    }
    Ok(reached)
}

/// How many midnights it takes; `None` when today suffices.
fn beyond(people: u64, quota: DayQuota) -> Option<u64> {
    let rest = people.checked_sub(quota.left).filter(|rest| *rest > 0)?;
    Some(rest.div_ceil(u64::from(quota.per_day.max(1))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_day_takes_its_limit() {
        let quota = |left| DayQuota { left, per_day: 100 };
        for (people, left, days) in
            [(50, 50, None), (51, 50, Some(1)), (150, 50, Some(1)), (151, 50, Some(2)), (10, 0, Some(1)), (0, 0, None)]
        {
            assert_eq!(beyond(people, quota(left)), days, "{people} people, {left} left");
        }
    }
}
