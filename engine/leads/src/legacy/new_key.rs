//! Where an object of the older platform is copied to. The new key derives from the old object alone, so that a migration that was
//! cut off anywhere finds what it copied before.

use luci_schema::{
    ImportId, Micros, RunId, SectorId, TenantId,
    object_key::{Day, FileName, ObjectKey, ObjectLocation, SectorFile},
};
use sha2::{Digest, Sha256};
use ulid::Ulid;

use crate::legacy::key::{LegacyKey, Pattern};

/// An object of the older platform, as the store lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OldObject {
    pub key: LegacyKey,
    pub size_bytes: u64,
    /// By the store's clock.
    pub modified: Micros,
}

/// What becomes of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Destination {
    Copy(ObjectKey),
    /// The table `sectors` has what it says.
    Table,
}

impl OldObject {
    /// When it was written: as its key says, or else when the store last changed it.
    fn written_at(&self) -> Micros {
        self.key.written_at().unwrap_or(self.modified)
    }

    /// Of the time of writing and SHA-256 over tenant, key, time of the last change and size: an object that changes later gets
    /// another copy.
    fn ulid(&self, tenant: TenantId) -> Ulid {
        let identity = format!("{tenant}\n{}\n{}\n{}", self.key, self.modified.0, self.size_bytes);
        let mut low = [0_u8; 16];
        low[6..].copy_from_slice(&Sha256::digest(identity)[..10]);
        let millis = u128::from(u64::try_from(self.written_at().0 / 1_000).unwrap_or(0) & 0xffff_ffff_ffff);
        Ulid(millis << 80 | u128::from_be_bytes(low))
    }

    /// Where it goes; `sector` is the one that its key names, if the tenant has it.
    pub fn destination(&self, tenant: TenantId, sector: Option<SectorId>) -> Destination {
        let file = match (self.key.pattern, sector) {
            (Pattern::BucketIndex, _) => return Destination::Table,
            (Pattern::ProcessedUpload, Some(sector_id)) => ObjectLocation::Sector {
                sector_id,
                file: SectorFile::Leads,
                day: Day::of(self.written_at()),
                // The day's own list is that of the newest run; this one is of no run.
                run_id: Some(RunId::from_ulid(self.ulid(tenant))),
            },
            (Pattern::DocumentedSector, Some(sector_id)) => match self.documented(tenant, sector_id) {
                Some(key) => return Destination::Copy(key),
                None => self.import(tenant),
            },
            _ => self.import(tenant),
        };
        Destination::Copy(ObjectKey::new(tenant, file))
    }

    /// `{tenant}/sectors/{sector}/{rest}`, if that is a key.
    fn documented(&self, tenant: TenantId, sector: SectorId) -> Option<ObjectKey> {
        let segments = self.key.segments();
        format!("{tenant}/sectors/{sector}/{}", segments.get(4..)?.join("/")).parse().ok()
    }

    /// `{tenant}/imports/{day}/{import_id}_{file}`
    fn import(&self, tenant: TenantId) -> ObjectLocation {
        ObjectLocation::Import {
            day: Day::of(self.written_at()),
            import_id: ImportId::from_ulid(self.ulid(tenant)),
            file: FileName::sanitise(self.key.file_name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "datalake/business/ny/sectors/construction-contractors/plumbers/";

    fn object(key: &str) -> OldObject {
        let key = LegacyKey::of(key).expect("a legacy key");
        OldObject { key, size_bytes: 7, modified: Micros(1_764_000_000_000_000) }
    }

    #[test]
    fn each_pattern_has_its_place_below_the_tenant() {
        let (tenant, sector) = (TenantId::generate(), SectorId::generate());
        let copied = |key: &str, sector| match object(key).destination(tenant, sector) {
            Destination::Copy(key) => key.to_string().replace(&tenant.to_string(), "T"),
            Destination::Table => "table".to_owned(),
        };
        let raw = copied(&format!("{PATH}raw/upload-1764498030123-k3j9x0a1b.csv"), Some(sector));
        assert!(raw.starts_with("T/imports/2025-11-30/import_"), "{raw}");
        assert!(raw.ends_with("_upload-1764498030123-k3j9x0a1b.csv"), "{raw}");
        let processed = format!("{PATH}processed/upload-1764498030123-k3j9x0a1b.json");
        let list = copied(&processed, Some(sector));
        assert!(list.starts_with(&format!("T/sectors/{sector}/leads_2025-11-30_run_")), "{list}");
        assert!(copied(&processed, None).starts_with("T/imports/2025-11-30/import_"), "of no sector");
        assert_eq!(copied(&format!("{PATH}index.json"), Some(sector)), "table");
        let documented = copied("buckets/b/sectors/s/leads_2025-01-02.json", Some(sector));
        assert_eq!(documented, format!("T/sectors/{sector}/leads_2025-01-02.json"));
        let other = copied("buckets/b/sectors/s/My File.json", Some(sector));
        assert!(other.starts_with("T/imports/2025-11-24/import_") && other.ends_with("_my_file.json"), "{other}");
        assert!(copied("uploads/u/List.CSV", None).ends_with("_list.csv"));
    }

    #[test]
    fn a_new_key_is_of_one_object_and_one_tenant() {
        let (tenant, other) = (TenantId::generate(), TenantId::generate());
        let one = object("campaigns/c1.json");
        assert_eq!(one.destination(tenant, None), one.destination(tenant, None), "the same each time");
        let changed = OldObject { size_bytes: 8, ..one.clone() };
        assert_ne!(one.destination(tenant, None), changed.destination(tenant, None));
        assert_ne!(one.ulid(tenant), one.ulid(other));
        assert_ne!(one.ulid(tenant), object("campaigns/c2.json").ulid(tenant));
    }
}
