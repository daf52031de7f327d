//! Where the older platform kept the files of a bucket: `datalake/business/{state}/sectors/{sector}/{subsector}/`.

use crate::{commands::default_sectors::GROUPS, store::sectors::Sector};

/// The folder of a bucket. Its text ends with a slash.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct StoragePath {
    /// `ny` or `us`; that of another state where a sector has one.
    pub state: String,
    pub sector: String,
    pub subsector: String,
}

impl StoragePath {
    /// Those in which the bucket of a sector can be, the likeliest first; at least one. A bucket's id is
    /// `{state}-{short sector}-{subsector}`, and several sectors can have one short form.
    pub fn candidates(sector: &Sector) -> Vec<Self> {
        let id = sector.legacy_bucket_id.as_deref().unwrap_or(&sector.slug);
        let state = sector.state.as_deref().map_or_else(|| "us".to_owned(), str::to_ascii_lowercase);
        let (state, rest) = match id.split_once('-') {
            Some((first @ ("ny" | "us"), rest)) if !rest.is_empty() => (first.to_owned(), rest),
            _ => (state, id),
        };
        let path = |group: &str, below: &str| Self {
            state: state.clone(),
            sector: group.to_owned(),
            subsector: segment(below),
        };
        let mut found: Vec<Self> =
            GROUPS.iter().filter_map(|group| Some(path(group, rest.strip_prefix(group)?.strip_prefix('-')?))).collect();
        if let Some((short, below)) = rest.split_once('-') {
            let of_short = |group: &&&str| group.split('-').any(|word| word == short);
            found.extend(GROUPS.iter().filter(of_short).map(|group| path(group, below)));
        }
        if found.is_empty() {
            found.push(path("other", rest));
        }
        found
    }

    /// The likeliest of the candidates.
    pub fn first_of(sector: &Sector) -> Self {
        Self::candidates(sector).swap_remove(0)
    }

    /// The folder of a key's first six segments.
    pub fn of_segments(segments: &[&str]) -> Option<Self> {
        match segments {
            ["datalake", "business", state, "sectors", sector, subsector, ..] => Some(Self {
                state: (*state).to_owned(),
                sector: (*sector).to_owned(),
                subsector: (*subsector).to_owned(),
            }),
            _ => None,
        }
    }

    /// The slug that a sector of the default set, or one like it, has.
    pub fn slug(&self) -> String {
        format!("{}-{}-{}", self.state, self.sector, self.subsector)
    }

    pub fn index_key(&self) -> String {
        format!("{self}index.json")
    }
}

impl std::fmt::Display for StoragePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "datalake/business/{}/sectors/{}/{}/", self.state, self.sector, self.subsector)
    }
}

/// A text as one segment of a key.
fn segment(text: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let text: String = text.chars().map(safe).collect();
    if text.trim_matches('.').is_empty() { "all".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use luci_schema::{Micros, SectorId};

    use super::*;

    fn paths(slug: &str, bucket: Option<&str>) -> Vec<String> {
        let sector = Sector {
            id: SectorId::generate(),
            slug: slug.into(),
            name: "Plumbers".into(),
            state: None,
            sic_codes: Vec::new(),
            legacy_bucket_id: bucket.map(str::to_owned),
            created_at: Micros(0),
        };
        StoragePath::candidates(&sector).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_bucket_is_where_the_older_platform_put_it() {
        let plumbers = "datalake/business/us/sectors/construction-contractors/plumbers/";
        assert_eq!(paths("us-construction-contractors-plumbers", None)[0], plumbers);
        assert_eq!(
            paths("x", Some("ny-construction-plumbers")),
            ["datalake/business/ny/sectors/construction-contractors/plumbers/"]
        );
        let business = paths("x", Some("ny-business-staffing"));
        assert_eq!(business.len(), 2, "two sectors are about business: {business:?}");
        assert_eq!(paths("my-list", None), ["datalake/business/us/sectors/other/my-list/"]);
        assert_eq!(paths("x", Some("bucket 77/../a")), ["datalake/business/us/sectors/other/bucket_77_.._a/"]);
    }
}
