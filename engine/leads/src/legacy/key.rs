//! Keys of the older platform: which texts can be one, and which of its writers a key belongs to.

use std::fmt;

use luci_schema::{Micros, TenantId};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// Why a text is no key of an object.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LegacyKeyError {
    #[error("1 to 1024 bytes, found {0}")]
    Length(usize),
    #[error("a key without a slash at its start or end")]
    OuterSlash,
    #[error("segments that are not empty, `.` or `..`, found `{0}`")]
    Segment(String),
    #[error("a key without control characters")]
    Control,
}

/// The writer of a key. Those of one pattern have the same form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pattern {
    /// `datalake/business/{ny|us}/sectors/{sector}/{subsector}/raw/{uploadId}.csv`
    RawUpload,
    /// `…/processed/{uploadId}.json`
    ProcessedUpload,
    /// `…/index.json`
    BucketIndex,
    /// `buckets/{bucketId}.json`, `buckets/_index.json`
    Bucket,
    /// `campaigns/{id}.json`
    Campaign,
    /// `queues/{id}.json`
    Queue,
    /// `datalake/{residential|phones|emails|business}/ny/raw/{time}_{name}`, and `.meta.json`
    LakeFile,
    /// `datalake/business/ny/sectors/{sector}/{raw|subsector}/{time}_{name}`, and `.meta.json`
    SectorFile,
    /// `{folder}/{time}_{name}`
    FolderFile,
    /// `searches/…`, `exports/…`, `fdaily/…`, `research-library/…`, `partnerships/…`, `leads/{id}/…`
    Other,
    /// `buckets/{bucketId}/sectors/{sectorId}/…`: documented, and written by nothing.
    DocumentedSector,
    /// `uploads/{userId}/{file}`: documented, and written by nothing.
    DocumentedUpload,
}

/// A key of one of the patterns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegacyKey {
    text: String,
    pub pattern: Pattern,
}

/// The folders of `Pattern::Other`, each with its shortest number of segments.
const OTHER: [(&str, usize); 6] =
    [("searches", 2), ("exports", 2), ("fdaily", 2), ("research-library", 2), ("partnerships", 2), ("leads", 3)];

impl LegacyKey {
    /// Bytes of a key at most, as in S3.
    pub const MAX: usize = 1024;

    /// Whether the text can be a key at all.
    pub fn check(text: &str) -> Result<(), LegacyKeyError> {
        if !(1..=Self::MAX).contains(&text.len()) {
            return Err(LegacyKeyError::Length(text.len()));
        }
        if text.starts_with('/') || text.ends_with('/') {
            return Err(LegacyKeyError::OuterSlash);
        }
        if text.contains(char::is_control) {
            return Err(LegacyKeyError::Control);
        }
        match text.split('/').find(|segment| matches!(*segment, "" | "." | "..")) {
            Some(segment) => Err(LegacyKeyError::Segment(segment.to_owned())),
            None => Ok(()),
        }
    }

    /// The key, if it is of a pattern and below no tenant.
    pub fn of(text: &str) -> Option<Self> {
        Self::check(text).ok()?;
        let segments: Vec<&str> = text.split('/').collect();
        if segments[0].parse::<TenantId>().is_ok() {
            return None;
        }
        Some(Self { text: text.to_owned(), pattern: pattern(&segments)? })
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn segments(&self) -> Vec<&str> {
        self.text.split('/').collect()
    }

    /// The last segment.
    pub fn file_name(&self) -> &str {
        self.text.rsplit('/').next().unwrap_or_default()
    }

    /// When it was written, as the key says; `None`: it does not.
    pub fn written_at(&self) -> Option<Micros> {
        let name = self.file_name();
        let millis = match self.pattern {
            Pattern::RawUpload | Pattern::ProcessedUpload => upload_millis(name.rsplit_once('.')?.0),
            Pattern::Other if self.text.starts_with("exports/") => name.split_once('-')?.0.parse().ok(),
            _ => iso_millis(name.split_once('_')?.0),
        }?;
        // What is no time of the older platform is no time.
        (946_684_800_000..4_102_444_800_000_i64).contains(&millis).then(|| Micros(millis * 1_000))
    }
}

impl fmt::Display for LegacyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn pattern(segments: &[&str]) -> Option<Pattern> {
    let name = segments.last()?;
    let found = match segments {
        ["datalake", "business", "ny" | "us", "sectors", _, _, "index.json"] => Pattern::BucketIndex,
        ["datalake", "business", "ny" | "us", "sectors", _, _, "raw", file] if is_upload(file, ".csv") => {
            Pattern::RawUpload
        }
        ["datalake", "business", "ny" | "us", "sectors", _, _, "processed", file] if is_upload(file, ".json") => {
            Pattern::ProcessedUpload
        }
        ["datalake", "business", "ny", "sectors", _, _, file] if is_timed(file) => Pattern::SectorFile,
        ["datalake", "residential" | "phones" | "emails" | "business", "ny", "raw", file] if is_timed(file) => {
            Pattern::LakeFile
        }
        ["buckets", file] if file.ends_with(".json") => Pattern::Bucket,
        ["campaigns", file] if file.ends_with(".json") => Pattern::Campaign,
        ["queues", file] if file.ends_with(".json") => Pattern::Queue,
        [folder, ..] if OTHER.iter().any(|(other, least)| other == folder && segments.len() >= *least) => {
            Pattern::Other
        }
        [_, ..] if segments.len() >= 2 && is_timed(name) => Pattern::FolderFile,
        ["buckets", _, "sectors", _, _, ..] => Pattern::DocumentedSector,
        ["uploads", _, _] => Pattern::DocumentedUpload,
        _ => return None,
    };
    Some(found)
}

fn is_upload(file: &str, extension: &str) -> bool {
    file.strip_suffix(extension).and_then(upload_millis).is_some()
}

/// The time in `upload-{milliseconds}-{base 36}`.
fn upload_millis(upload_id: &str) -> Option<i64> {
    let (millis, random) = upload_id.strip_prefix("upload-")?.split_once('-')?;
    let base36 = (1..=16).contains(&random.len()) && random.bytes().all(|b| b.is_ascii_alphanumeric());
    if base36 { millis.parse().ok() } else { None }
}

/// `2025-11-30T10-20-30-123Z_name`
fn is_timed(file: &str) -> bool {
    file.split_once('_').is_some_and(|(time, name)| !name.is_empty() && iso_millis(time).is_some())
}

/// A time of ISO 8601 in which `-` stands for `:` and `.`.
fn iso_millis(text: &str) -> Option<i64> {
    let (day, time) = text.strip_suffix('Z')?.split_once('T')?;
    let mut parts = time.split('-');
    let (hour, minute, second) = (parts.next()?, parts.next()?, parts.next()?);
    let fraction = parts.next().unwrap_or("0");
    if parts.next().is_some() {
        return None;
    }
    let at = OffsetDateTime::parse(&format!("{day}T{hour}:{minute}:{second}.{fraction}Z"), &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "datalake/business/ny/sectors/construction-contractors/plumbers/";
    const ISO: &str = "2025-11-30T10-20-30-123Z";

    #[test]
    fn every_writer_of_the_older_platform_is_known() {
        use Pattern::*;
        for (key, pattern) in [
            (format!("{PATH}raw/upload-1764498030123-k3j9x0a1b.csv"), RawUpload),
            (format!("{PATH}processed/upload-1764498030123-k3j9x0a1b.json"), ProcessedUpload),
            (format!("{PATH}index.json"), BucketIndex),
            ("buckets/csv-1764498030123-k3j9x0a1b.json".into(), Bucket),
            ("buckets/_index.json".into(), Bucket),
            ("campaigns/c1.json".into(), Campaign),
            ("queues/q1.json".into(), Queue),
            (format!("datalake/phones/ny/raw/{ISO}_cells.csv"), LakeFile),
            (format!("datalake/business/ny/raw/{ISO}_cells.csv.meta.json"), LakeFile),
            (format!("datalake/business/ny/sectors/automotive/raw/{ISO}_a.csv"), SectorFile),
            (format!("datalake/business/ny/sectors/automotive/dealers/{ISO}_a.csv.meta.json"), SectorFile),
            (format!("uploads/{ISO}_My_List.csv"), FolderFile),
            (format!("my/own/folder/{ISO}_x.pdf"), FolderFile),
            ("searches/plumbers-1764498030123.csv".into(), Other),
            ("exports/1764498030123-leads.csv".into(), Other),
            ("fdaily/b1.json".into(), Other),
            ("research-library/a/b.pdf".into(), Other),
            ("partnerships/p.json".into(), Other),
            ("leads/l1/photo.png".into(), Other),
            ("buckets/b1/sectors/s1/leads.json".into(), DocumentedSector),
            ("uploads/u1/list.csv".into(), DocumentedUpload),
        ] {
            assert_eq!(LegacyKey::of(&key).map(|key| key.pattern), Some(pattern), "{key}");
        }
    }

    #[test]
    fn what_is_no_key_is_refused_and_what_is_of_nobody_is_no_legacy_key() {
        for wrong in ["", "/uploads/a/b", "uploads/a/", "uploads//b", "uploads/../b", "./b", "a/\u{0}"] {
            assert!(LegacyKey::check(wrong).is_err(), "{wrong:?}");
        }
        assert!(LegacyKey::check(&"a".repeat(1025)).is_err());
        let own = format!("{}/imports/x", TenantId::generate());
        for other in ["luci-store.json", "seals/1.json", "leads/l1", "datalake/business/tx/index.json", own.as_str()] {
            assert_eq!(LegacyKey::of(other), None, "{other}");
        }
    }

    #[test]
    fn a_key_says_when_it_was_written() {
        for key in [
            format!("{PATH}raw/upload-1764498030123-k3j9x0a1b.csv"),
            format!("uploads/{ISO}_x.csv"),
            "exports/1764498030123-leads.csv".into(),
        ] {
            let at = LegacyKey::of(&key).and_then(|key| key.written_at());
            assert_eq!(at, Some(Micros(1_764_498_030_123_000)), "{key}");
        }
        assert_eq!(LegacyKey::of("campaigns/c1.json").expect("a key").written_at(), None);
    }
}
