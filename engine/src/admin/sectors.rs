//! Sectors as people make and change them, and the set that a tenant begins with; each change is an event of the tenant.

use luci_schema::{
    ConfigEvent, Micros, Position, SectorId, TenantId,
    event::{SectorCreated, SectorUpdated, SectorsSeeded},
    log::{Log, NewReceipt},
};
use sqlx::PgConnection;

use super::{
    AdminError, By,
    change::{Change, record},
    tenants,
};
use crate::{
    book::{
        default_sectors,
        sectors::{self, Sector},
    },
    lead::place,
};

/// SIC codes a sector at most.
const MOST_CODES: usize = 1_000;

/// A sector that is to be.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Made from the name when absent; never changes afterwards.
    pub slug: Option<String>,
    pub name: String,
    /// Two letters; none is nationwide.
    pub state: Option<String>,
    pub sic_codes: Vec<String>,
    pub legacy_bucket_id: Option<String>,
}

/// What is to change; what is absent stays.
#[derive(Debug, Clone, Default)]
pub struct Revision {
    pub name: Option<String>,
    /// `Some(None)`: nationwide from now on.
    pub state: Option<Option<String>>,
    pub sic_codes: Option<Vec<String>>,
}

/// Adds a sector.
pub async fn create(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    draft: Draft,
    by: &By,
    receipt: impl FnOnce(&Sector) -> Option<NewReceipt>,
) -> Result<(Sector, Position), AdminError> {
    let slug = draft.slug.unwrap_or_else(|| tenants::slug_of(&draft.name));
    let sector = Sector {
        id: SectorId::generate(),
        slug,
        name: draft.name.trim().to_owned(),
        state: draft.state.map(|state| state.to_ascii_uppercase()),
        sic_codes: draft.sic_codes,
        legacy_bucket_id: draft.legacy_bucket_id,
        created_at: Micros::now(),
    };
    check(&sector)?;
    let version = tenants::hold(c, tenant, log).await?;
    sectors::create(c, tenant, &sector).await.map_err(|error| taken(error, &sector.slug))?;
    let event = ConfigEvent::SectorCreated(SectorCreated { sector_id: sector.id, slug: sector.slug.clone() });
    let change = Change::after(tenant, version, vec![event.into()]).remembered(receipt(&sector));
    let position = record(log, c, tenant, change, by).await?;
    Ok((sector, position))
}

/// Changes name, state or codes. Leads that are in the sector stay there until a run assigns them anew.
pub async fn update(
    c: &mut PgConnection,
    tenant: TenantId,
    log: &Log,
    id_or_slug: &str,
    revision: Revision,
    by: &By,
    receipt: impl FnOnce(&Sector) -> Option<NewReceipt>,
) -> Result<(Sector, Position), AdminError> {
    let version = tenants::hold(c, tenant, log).await?;
    let mut sector = sectors::get(c, tenant, id_or_slug).await?.ok_or(AdminError::NotFound("sector"))?;
    if let Some(name) = revision.name {
        sector.name = name.trim().to_owned();
    }
    if let Some(state) = revision.state {
        sector.state = state.map(|state| state.to_ascii_uppercase());
    }
    if let Some(codes) = revision.sic_codes {
        sector.sic_codes = codes;
    }
    check(&sector)?;
    sectors::update(c, tenant, &sector).await?;
    let event = ConfigEvent::SectorUpdated(SectorUpdated { sector_id: sector.id });
    let change = Change::after(tenant, version, vec![event.into()]).remembered(receipt(&sector));
    let position = record(log, c, tenant, change, by).await?;
    Ok((sector, position))
}

/// Adds those of the default set that the tenant lacks, and tells of it when there were any.
pub async fn seed(c: &mut PgConnection, tenant: TenantId, log: &Log, by: &By) -> Result<u64, AdminError> {
    let version = tenants::hold(c, tenant, log).await?;
    let added = sectors::create_missing(c, tenant, &default_sectors::all()).await?;
    if added > 0 {
        let change = Change::after(tenant, version, vec![seeded(added).into()]);
        record(log, c, tenant, change, by).await?;
    }
    Ok(added)
}

/// What is told of the default set.
pub(super) fn seeded(added: u64) -> ConfigEvent {
    ConfigEvent::SectorsSeeded(SectorsSeeded { set: default_sectors::NAME.into(), sectors: added })
}

fn taken(error: sqlx::Error, slug: &str) -> AdminError {
    match error {
        sqlx::Error::Database(error) if error.is_unique_violation() => {
            AdminError::Taken { field: "slug", value: slug.to_owned() }
        }
        error => error.into(),
    }
}

fn check(sector: &Sector) -> Result<(), AdminError> {
    let invalid = |field, reason: String| Err(AdminError::Invalid { field, reason });
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let slug = sector.slug.as_bytes();
    let sound = slug.first().is_some_and(|b| word(*b)) && slug.iter().all(|b| word(*b) || *b == b'-');
    if !sound || slug.len() > 100 || sector.slug.parse::<SectorId>().is_ok() {
        return invalid("slug", "1 to 100 characters of a-z, 0-9 and `-`, not starting with `-`".into());
    }
    if !(1..=200).contains(&sector.name.chars().count()) {
        return invalid("name", "1 to 200 characters".into());
    }
    if let Some(state) = &sector.state
        && place::state(state) != Some(state.as_str())
    {
        return invalid("state", format!("two letters of a US state or territory, found `{state}`"));
    }
    if sector.sic_codes.len() > MOST_CODES {
        return invalid("sicCodes", format!("at most {MOST_CODES}, found {}", sector.sic_codes.len()));
    }
    let code = |code: &&String| !(2..=4).contains(&code.len()) || !code.bytes().all(|b| b.is_ascii_digit());
    match sector.sic_codes.iter().find(code) {
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
    fn what_is_wrong_is_named() {
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
