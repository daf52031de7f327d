//! Creates and changes sectors, and adds the default set. Each change is an event of the tenant.

use futures::{FutureExt as _, future::BoxFuture};
use luci_config::{
    AdminError, By,
    change::{Change, record},
    tenants,
};
use luci_schema::{
    ConfigEvent, Micros, Position, SectorId, TenantId,
    event::{SectorCreated, SectorUpdated, SectorsSeeded},
    log::{Log, NewReceipt},
};
use sqlx::PgConnection;

use crate::{
    commands::default_sectors,
    normalise::address,
    store::sectors::{self, Sector},
};

/// SIC codes of a sector at most.
const MAX_CODES: usize = 1_000;

/// A sector to create.
#[derive(Debug, Clone)]
pub struct NewSector {
    /// Derived from the name when absent; never changes.
    pub slug: Option<String>,
    pub name: String,
    /// Two letters; `None` is nationwide.
    pub state: Option<String>,
    pub sic_codes: Vec<String>,
    pub legacy_bucket_id: Option<String>,
}

/// Changes to a sector; `None` leaves a field unchanged.
#[derive(Debug, Clone, Default)]
pub struct SectorChanges {
    pub name: Option<String>,
    /// `Some(None)` makes it nationwide.
    pub state: Option<Option<String>>,
    pub sic_codes: Option<Vec<String>>,
}

/// Creates a sector.
pub async fn create(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    new: NewSector,
    by: &By,
    receipt: impl FnOnce(&Sector) -> Option<NewReceipt>,
) -> Result<(Sector, Position), AdminError> {
    let slug = new.slug.unwrap_or_else(|| tenants::slug_of(&new.name));
    let sector = Sector {
        id: SectorId::generate(),
        slug,
        name: new.name.trim().to_owned(),
        state: new.state.map(|state| state.to_ascii_uppercase()),
        sic_codes: new.sic_codes,
        legacy_bucket_id: new.legacy_bucket_id,
        created_at: Micros::now(),
    };
    check(&sector)?;
    let version = tenants::lock(c, tenant).await?;
    sectors::create(c, tenant, &sector).await.map_err(|error| slug_taken(error, &sector.slug))?;
    let event = ConfigEvent::SectorCreated(SectorCreated { sector_id: sector.id, slug: sector.slug.clone() });
    let change = Change::after(tenant, version, vec![event.into()]).with_receipt(receipt(&sector));
    let position = record(log, c, tenant, change, by).await?;
    Ok((sector, position))
}

/// Changes name, state or SIC codes. Leads stay in the sector until a run assigns them again.
pub async fn update(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    id_or_slug: &str,
    changes: SectorChanges,
    by: &By,
    receipt: impl FnOnce(&Sector) -> Option<NewReceipt>,
) -> Result<(Sector, Position), AdminError> {
    let version = tenants::lock(c, tenant).await?;
    let mut sector = sectors::get(c, tenant, id_or_slug).await?.ok_or(AdminError::NotFound("sector"))?;
    if let Some(name) = changes.name {
        sector.name = name.trim().to_owned();
    }
    if let Some(state) = changes.state {
        sector.state = state.map(|state| state.to_ascii_uppercase());
    }
    if let Some(codes) = changes.sic_codes {
        sector.sic_codes = codes;
    }
    check(&sector)?;
    sectors::update(c, tenant, &sector).await?;
    let event = ConfigEvent::SectorUpdated(SectorUpdated { sector_id: sector.id });
    let change = Change::after(tenant, version, vec![event.into()]).with_receipt(receipt(&sector));
    let position = record(log, c, tenant, change, by).await?;
    Ok((sector, position))
}

/// Adds the sectors of the default set that the tenant lacks; appends an event when there are any.
pub async fn seed(c: &mut PgConnection, tenant: TenantId, log: &Log, by: &By) -> Result<u64, AdminError> {
    let version = tenants::lock(c, tenant).await?;
    let added = sectors::create_missing(c, tenant, &default_sectors::all()).await?;
    if added > 0 {
        let change = Change::after(tenant, version, vec![seeded(added).into()]);
        record(log, c, tenant, change, by).await?;
    }
    Ok(added)
}

/// Adds the default set to a new tenant; returns the event to append.
pub fn seed_new_tenant(c: &mut PgConnection, tenant: TenantId) -> BoxFuture<'_, Result<ConfigEvent, AdminError>> {
    async move { Ok(seeded(sectors::create_missing(c, tenant, &default_sectors::all()).await?)) }.boxed()
}

/// Whether the tenant has a sector with this id.
pub fn exists(c: &mut PgConnection, tenant: TenantId, id: SectorId) -> BoxFuture<'_, Result<bool, sqlx::Error>> {
    async move { Ok(sectors::get(c, tenant, &id.to_string()).await?.is_some()) }.boxed()
}

fn seeded(added: u64) -> ConfigEvent {
    ConfigEvent::SectorsSeeded(SectorsSeeded { set: default_sectors::NAME.into(), sectors: added })
}

fn slug_taken(error: sqlx::Error, slug: &str) -> AdminError {
    match error {
        sqlx::Error::Database(error) if error.is_unique_violation() => {
            AdminError::Taken { field: "slug", value: slug.to_owned() }
        }
        error => error.into(),
    }
}

fn check(sector: &Sector) -> Result<(), AdminError> {
    let invalid = |field, reason: String| Err(AdminError::Invalid { field, reason });
    let alphanumeric = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let slug = sector.slug.as_bytes();
    let valid = slug.first().is_some_and(|b| alphanumeric(*b)) && slug.iter().all(|b| alphanumeric(*b) || *b == b'-');
    if !valid || slug.len() > 100 || sector.slug.parse::<SectorId>().is_ok() {
        return invalid("slug", "1 to 100 characters of a-z, 0-9 and `-`, not starting with `-`".into());
    }
    if !(1..=200).contains(&sector.name.chars().count()) {
        return invalid("name", "1 to 200 characters".into());
    }
    if let Some(state) = &sector.state
        && address::state(state) != Some(state.as_str())
    {
        return invalid("state", format!("two letters of a US state or territory, found `{state}`"));
    }
    if sector.sic_codes.len() > MAX_CODES {
        return invalid("sicCodes", format!("at most {MAX_CODES}, found {}", sector.sic_codes.len()));
    }
    let invalid_code = |code: &&String| !(2..=4).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_digit());
    match sector.sic_codes.iter().find(invalid_code) {
        Some(wrong) => invalid("sicCodes", format!("codes of four digits, or prefixes of two or three: `{wrong}`")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sector(change: impl Fn(&mut Sector)) -> Option<&'static str> {
        let mut sector = default_sectors::all().remove(0);
        change(&mut sector);
        match check(&sector) {
            Ok(()) => None,
            Err(AdminError::Invalid { field, .. }) => Some(field),
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn wrong_fields_are_named() {
        assert_eq!(sector(|_| ()), None);
        assert_eq!(sector(|s| s.state = Some("NY".into())), None);
        for slug in ["", "-a", "A", "a b", "ü"] {
            assert_eq!(sector(|s| s.slug = slug.into()), Some("slug"), "{slug}");
        }
        assert_eq!(sector(|s| s.name.clear()), Some("name"));
        assert_eq!(sector(|s| s.state = Some("ZZ".into())), Some("state"));
        for code in ["1", "17111", "17a1", ""] {
            assert_eq!(sector(|s| s.sic_codes.push(code.into())), Some("sicCodes"), "{code}");
        }
    }
}
