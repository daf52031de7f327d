//! Events of what was removed: people who were erased, objects that retention deleted. They hold ids, paths and digests.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{ErasureId, LeadId, ObjectDigest};

/// The owner asked to erase a person; from now on the person is not contacted. Who it is, is in no event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasureRequested {
    pub erasure_id: ErasureId,
    /// The erasure is carried out again, under its id: the database was restored to a state that does not have it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_restore: bool,
}

/// Data of a person was removed: objects were rewritten without it, rows deleted. A large erasure appends several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeadErased {
    pub erasure_id: ErasureId,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lead_ids: Vec<LeadId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ErasedObject>,
    /// Rows deleted or cleared, by table.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rows: BTreeMap<String, u64>,
    /// The erasure is carried out again after a restore.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub after_restore: bool,
}

/// An object that held data of the person, and the version without it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasedObject {
    /// The removed object. Where the log recorded its digest, that digest stays in the event that recorded it.
    pub object_path: String,
    /// `None`: nothing of the object was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<ErasedVersion>,
}

/// What readers of the removed object get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasedVersion {
    pub object_path: String,
    #[serde(flatten)]
    pub digest: ObjectDigest,
}

/// How long objects of the tenant are kept, in days by domain; a domain that is absent is kept for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RetentionUpdated {
    pub days: BTreeMap<String, u32>,
}

/// Retention removed objects of one domain; rows and checksums stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectExpired {
    /// `artifacts`, `imports`, `webhooks` …
    pub domain: String,
    pub objects: u64,
    pub size_bytes: u64,
    pub object_paths: Vec<String>,
}
