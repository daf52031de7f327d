//! Publishes and activates scoring profiles, and pins one when a run is started. Each change is an event of the tenant.

use luci_config::{
    AdminError, By,
    change::{Change, record},
    tenants,
};
use luci_schema::{
    ConfigEvent, Position, Stage, TenantId,
    event::{ScoringProfileActivated, ScoringProfilePublished, StageSpec},
    log::{Log, NewReceipt},
};
use serde::Deserialize;
use serde_json::{Value, json};
use sqlx::PgConnection;

use crate::{
    score::{
        check::{self, FieldError},
        profile::Profile,
        setting::{self, ProfileRef, ProfileSetting},
    },
    store::scoring_profiles,
};

/// A profile to publish.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewProfile {
    pub name: String,
    pub factors: Vec<Value>,
    #[serde(default = "default_high")]
    pub high: u8,
    #[serde(default = "default_medium")]
    pub medium: u8,
}

const fn default_high() -> u8 {
    80
}

const fn default_medium() -> u8 {
    50
}

/// Publishes the next version of a profile, without activating it.
pub async fn publish(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    new: &NewProfile,
    by: &By,
    receipt: impl FnOnce(&Profile) -> Option<NewReceipt>,
) -> Result<(Profile, Position), AdminError> {
    let factors = check::factors(&new.factors).map_err(invalid)?;
    let held = tenants::lock(c, tenant).await?;
    let version = scoring_profiles::newest(c, tenant, &new.name).await?.map_or(1, |version| version + 1);
    let profile = Profile { name: new.name.clone(), version, factors, high: new.high, medium: new.medium };
    check::check(&profile).map_err(invalid)?;
    scoring_profiles::insert(c, tenant, &profile, &by.actor.to_string()).await?;
    let published = ScoringProfilePublished {
        name: profile.name.clone(),
        version,
        factors: json!(profile.factors),
        high: profile.high,
        medium: profile.medium,
    };
    let events = vec![ConfigEvent::ScoringProfilePublished(Box::new(published)).into()];
    let change = Change::after(tenant, held, events).with_receipt(receipt(&profile));
    let position = record(log, c, tenant, change, by).await?;
    Ok((profile, position))
}

/// Makes a version the active one, which new runs pin.
pub async fn activate(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    profile: &ProfileRef,
    by: &By,
    receipt: Option<NewReceipt>,
) -> Result<Position, AdminError> {
    let held = tenants::lock(c, tenant).await?;
    let (name, version) =
        scoring_profiles::resolve(c, tenant, profile).await?.ok_or(AdminError::NotFound("scoring profile"))?;
    scoring_profiles::set_active(c, tenant, &name, version).await?;
    let events = vec![ConfigEvent::ScoringProfileActivated(ScoringProfileActivated { name, version }).into()];
    record(log, c, tenant, Change::after(tenant, held, events).with_receipt(receipt), by).await
}

/// Pins the profile of the SCORE stage: writes name and version into its settings, of the profile that it names or else of the
/// tenant's active one. An inline profile stays as it is. Replays use the pinned profile.
pub async fn pin(c: &mut PgConnection, tenant: TenantId, stages: &mut [StageSpec]) -> Result<(), AdminError> {
    let Some(spec) = stages.iter_mut().find(|spec| spec.stage == Stage::Score) else { return Ok(()) };
    let (name, version) = match setting::parse(&spec.config[setting::SETTING]).map_err(invalid)? {
        ProfileSetting::Inline(profile) => return check::check(&profile).map_err(invalid),
        ProfileSetting::Unset => scoring_profiles::active(c, tenant).await?,
        ProfileSetting::Named(profile) => {
            let missing = || invalid((setting::SETTING, format!("there is no profile {profile}")));
            scoring_profiles::resolve(c, tenant, &profile).await?.ok_or_else(missing)?
        }
    };
    if !spec.config.is_object() {
        spec.config = json!({});
    }
    spec.config[setting::SETTING] = json!({"name": name, "version": version});
    Ok(())
}

fn invalid((field, reason): FieldError) -> AdminError {
    AdminError::Invalid { field, reason }
}
