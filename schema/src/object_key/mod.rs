//! Object keys: `{tenant_id}/{domain}/…`, built from typed parts and parsed into them, so that no invalid key exists.
//!
//! Every part has one text form and a bounded length: two keys are equal exactly when their texts are, and none is longer
//! than 256 characters. Keys contain nothing that must be escaped in URLs or file names.

mod part;
#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use part::{ContentHash, Day, FileName, MonthOf, Word};

use crate::{ArtifactId, CallId, ImportId, ReportId, RunId, SectorId, SessionId, TemplateId, TenantId, WebhookId};

/// Why a text is not an object key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("an object key has at most 256 characters, found {0}")]
    TooLong(usize),
    #[error("an object key is `tenant/domain/…` in one of the forms of its domain, found `{0}`")]
    Form(String),
    #[error("expected {expected}, found `{found}`")]
    Part { expected: &'static str, found: String },
}

impl KeyError {
    fn part(expected: &'static str, found: &str) -> Self {
        Self::Part { expected, found: found.chars().take(80).collect() }
    }
}

/// Which of a sector's two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SectorFile {
    Leads,
    Enriched,
}

/// The channel of a template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TemplateChannel {
    Sms,
    Email,
    Voicemail,
}

/// The part of a key below the tenant, one variant per form.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ObjectLocation {
    /// `imports/{day}/{import_id}_{file}`
    Import { day: Day, import_id: ImportId, file: FileName },
    /// `staging/{import_id}`: where the client puts an upload. Completing it copies the object to the import's key; nothing else
    /// reads it.
    Staging { import_id: ImportId },
    /// `staging/{import_id}/{number}_{hash}`: one part of an upload in parts, the first is 1. The hash is of its content, so that
    /// what is at the key is what the part's URL was signed for.
    StagedPart { import_id: ImportId, number: u32, content: ContentHash },
    /// `pipelines/{run_id}/artifacts/{type}_{unix}_{art_id}_{hash}.ndjson`; keys of older releases have no hash. Two attempts
    /// of a block have the same artifact id, so only the hash keeps one from overwriting what the other wrote.
    Artifact { run_id: RunId, artifact_type: Word, unix: u64, artifact_id: ArtifactId, content: Option<ContentHash> },
    /// `sectors/{sector_id}/{leads or enriched}_{day}.json` (latest) and `…_{day}_{run_id}.json`
    Sector { sector_id: SectorId, file: SectorFile, day: Day, run_id: Option<RunId> },
    /// `templates/{sms, email or voicemail}/{tpl_id}.json`
    Template { channel: TemplateChannel, template_id: TemplateId },
    /// `recordings/{month}/{call_id}.mp3`
    Recording { month: MonthOf, call_id: CallId },
    /// `reports/{report-type}/{day}_{rpt_id}.{ext}`
    Report { report_type: Word, day: Day, report_id: ReportId, extension: Word },
    /// `ai/{worker}/{sess_id}/{name}.json`
    Ai { worker: Word, session_id: SessionId, name: FileName },
    /// `webhooks/{provider}/{day}/{wh_id}.json`
    Webhook { provider: Word, day: Day, webhook_id: WebhookId },
}

/// A key of the object store; its text is the `objectPath` of events and API.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    pub tenant_id: TenantId,
    pub place: ObjectLocation,
}

impl ObjectKey {
    pub const MAX: usize = 256;

    pub const fn new(tenant_id: TenantId, place: ObjectLocation) -> Self {
        Self { tenant_id, place }
    }

    /// Where the client puts the upload of an import.
    pub const fn staging(tenant_id: TenantId, import_id: ImportId) -> Self {
        Self::new(tenant_id, ObjectLocation::Staging { import_id })
    }

    /// Where the client puts one part of the upload of an import.
    pub const fn staged_part(tenant_id: TenantId, import_id: ImportId, number: u32, content: ContentHash) -> Self {
        Self::new(tenant_id, ObjectLocation::StagedPart { import_id, number, content })
    }

    /// The folder of the parts of an upload, with a slash at the end.
    pub fn staged_parts_of(tenant_id: TenantId, import_id: ImportId) -> String {
        format!("{tenant_id}/staging/{import_id}/")
    }

    /// The folder of a run's artifacts, with a slash at the end.
    pub fn artifacts_of(tenant_id: TenantId, run_id: RunId) -> String {
        format!("{tenant_id}/pipelines/{run_id}/artifacts/")
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant_id, self.place)
    }
}

impl fmt::Display for ObjectLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Import { day, import_id, file } => write!(f, "imports/{day}/{import_id}_{file}"),
            Self::Staging { import_id } => write!(f, "staging/{import_id}"),
            Self::StagedPart { import_id, number, content } => write!(f, "staging/{import_id}/{number}_{content}"),
            Self::Artifact { run_id, artifact_type, unix, artifact_id, content } => {
                write!(f, "pipelines/{run_id}/artifacts/{artifact_type}_{unix}_{artifact_id}")?;
                content.as_ref().map_or(Ok(()), |hash| write!(f, "_{hash}"))?;
                f.write_str(".ndjson")
            }
            Self::Sector { sector_id, file, day, run_id: None } => write!(f, "sectors/{sector_id}/{file}_{day}.json"),
            Self::Sector { sector_id, file, day, run_id: Some(run_id) } => {
                write!(f, "sectors/{sector_id}/{file}_{day}_{run_id}.json")
            }
            Self::Template { channel, template_id } => write!(f, "templates/{channel}/{template_id}.json"),
            Self::Recording { month, call_id } => write!(f, "recordings/{month}/{call_id}.mp3"),
            Self::Report { report_type, day, report_id, extension } => {
                write!(f, "reports/{report_type}/{day}_{report_id}.{extension}")
            }
            Self::Ai { worker, session_id, name } => write!(f, "ai/{worker}/{session_id}/{name}.json"),
            Self::Webhook { provider, day, webhook_id } => write!(f, "webhooks/{provider}/{day}/{webhook_id}.json"),
        }
    }
}

/// Parses a part; the part's own error is replaced.
fn id<T: FromStr>(expected: &'static str, text: &str) -> Result<T, KeyError> {
    text.parse().map_err(|_| KeyError::part(expected, text))
}

fn strip<'a>(text: &'a str, ending: &'static str) -> Result<&'a str, KeyError> {
    text.strip_suffix(ending).ok_or_else(|| KeyError::part(ending, text))
}

fn cut<'a>(text: &'a str, joiner: char, expected: &'static str) -> Result<(&'a str, &'a str), KeyError> {
    text.split_once(joiner).ok_or_else(|| KeyError::part(expected, text))
}

fn staged_part(import_id: &str, name: &str) -> Result<ObjectLocation, KeyError> {
    let (number, content) = cut(name, '_', "`{number}_{hash}`")?;
    let number = id("the number of a part, from 1", number)?;
    if number == 0 {
        return Err(KeyError::part("the number of a part, from 1", name));
    }
    Ok(ObjectLocation::StagedPart { import_id: id("an import id", import_id)?, number, content: content.parse()? })
}

/// `import_` and 26 characters, then `_` and the file.
fn import(day: &str, rest: &str) -> Result<ObjectLocation, KeyError> {
    const ID: usize = "import_".len() + 26;
    let expected = "`{import_id}_{file}`";
    let (import_id, file) = rest.split_at_checked(ID).ok_or_else(|| KeyError::part(expected, rest))?;
    let file = file.strip_prefix('_').ok_or_else(|| KeyError::part(expected, rest))?;
    Ok(ObjectLocation::Import { day: day.parse()?, import_id: id("an import id", import_id)?, file: file.parse()? })
}

fn artifact(run: &str, name: &str) -> Result<ObjectLocation, KeyError> {
    let expected = "`{type}_{unix}_{art_id}_{hash}.ndjson`";
    let (artifact_type, rest) = cut(strip(name, ".ndjson")?, '_', expected)?;
    let (unix, rest) = cut(rest, '_', expected)?;
    const ID: usize = "art_".len() + 26;
    let (artifact_id, content) = rest.split_at_checked(ID).ok_or_else(|| KeyError::part(expected, rest))?;
    Ok(ObjectLocation::Artifact {
        run_id: id("a run id", run)?,
        artifact_type: artifact_type.parse()?,
        unix: id("seconds since 1970", unix)?,
        artifact_id: id("an artifact id", artifact_id)?,
        content: match content.strip_prefix('_') {
            Some(hash) => Some(hash.parse()?),
            None if content.is_empty() => None,
            None => return Err(KeyError::part(expected, rest)),
        },
    })
}

fn sector(sector_id: &str, name: &str) -> Result<ObjectLocation, KeyError> {
    let (file, rest) = cut(strip(name, ".json")?, '_', "`leads_{day}` or `enriched_{day}`")?;
    let (day, run_id) = match rest.split_once('_') {
        Some((day, run)) => (day, Some(id("a run id", run)?)),
        None => (rest, None),
    };
    Ok(ObjectLocation::Sector {
        sector_id: id("a sector id", sector_id)?,
        file: file.parse()?,
        day: day.parse()?,
        run_id,
    })
}

fn report(report_type: &str, name: &str) -> Result<ObjectLocation, KeyError> {
    let expected = "`{day}_{rpt_id}.{ext}`";
    let (day, rest) = cut(name, '_', expected)?;
    let (report_id, extension) = cut(rest, '.', expected)?;
    Ok(ObjectLocation::Report {
        report_type: report_type.parse()?,
        day: day.parse()?,
        report_id: id("a report id", report_id)?,
        extension: extension.parse()?,
    })
}

impl FromStr for ObjectKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        if text.len() > Self::MAX {
            return Err(KeyError::TooLong(text.len()));
        }
        let segments: Vec<&str> = text.split('/').collect();
        let [tenant, below @ ..] = segments.as_slice() else { return Err(KeyError::Form(text.into())) };
        let place = match below {
            ["imports", day, rest] => import(day, rest)?,
            ["staging", import_id] => ObjectLocation::Staging { import_id: id("an import id", import_id)? },
            ["staging", import_id, name] => staged_part(import_id, name)?,
            ["pipelines", run, "artifacts", name] => artifact(run, name)?,
            ["sectors", sector_id, name] => sector(sector_id, name)?,
            ["templates", channel, name] => {
                let template_id = id("a template id", strip(name, ".json")?)?;
                ObjectLocation::Template { channel: channel.parse()?, template_id }
            }
            ["recordings", month, name] => {
                ObjectLocation::Recording { month: month.parse()?, call_id: id("a call id", strip(name, ".mp3")?)? }
            }
            ["reports", report_type, name] => report(report_type, name)?,
            ["ai", worker, session, name] => ObjectLocation::Ai {
                worker: worker.parse()?,
                session_id: id("a session id", session)?,
                name: strip(name, ".json")?.parse()?,
            },
            ["webhooks", provider, day, name] => ObjectLocation::Webhook {
                provider: provider.parse()?,
                day: day.parse()?,
                webhook_id: id("a webhook id", strip(name, ".json")?)?,
            },
            _ => return Err(KeyError::Form(text.into())),
        };
        let key = Self { tenant_id: id("a tenant id", tenant)?, place };
        // The parts' parsers accept id aliases, `+1` and `007`, which would be a second key of the same object.
        if key.to_string() == text { Ok(key) } else { Err(KeyError::Form(text.into())) }
    }
}

macro_rules! names {
    ($type:ty, $expected:literal { $($variant:ident = $name:literal),* }) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(match self { $(Self::$variant => $name),* }) }
        }
        impl FromStr for $type {
            type Err = KeyError;
            fn from_str(text: &str) -> Result<Self, KeyError> {
                match text { $($name => Ok(Self::$variant),)* _ => Err(KeyError::part($expected, text)) }
            }
        }
    };
}
names!(SectorFile, "`leads` or `enriched`" { Leads = "leads", Enriched = "enriched" });
names!(TemplateChannel, "`sms`, `email` or `voicemail`" { Sms = "sms", Email = "email", Voicemail = "voicemail" });

impl Serialize for ObjectKey {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ObjectKey {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}
