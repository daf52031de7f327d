//! Changes of configuration, received webhooks and imports.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    automation::{
        AutomationCreated, AutomationDisabled, AutomationEnabled, AutomationFired, AutomationRemoved,
        AutomationSkipped, AutomationUpdated,
    },
    contact::{
        MessageDecided, MessageReceived, NumberChanged, SendingUpdated, SuppressionChanged, TemplatePublished,
        TokenCreated, TokenRevoked, WebhookReceived,
    },
    events,
    run::StageSpec,
};
use crate::{ActorId, BlueprintId, ImportId, KeyId, LeadId, Micros, SectorId};

events! {
    /// Changes of configuration, received webhooks and imports, each in the transaction of its table.
    ConfigEvent {
        TenantCreated(TenantCreated) = "tenant:created",
        TenantUpdated(TenantUpdated) = "tenant:updated",
        ActorCreated(ActorCreated) = "actor:created",
        KeyCreated(KeyCreated) = "key:created",
        KeyRevoked(KeyRevoked) = "key:revoked",
        ImportCompleted(Box<ImportCompleted>) = "import:completed",
        BlueprintPublished(BlueprintPublished) = "blueprint:published",
        BlueprintActivated(BlueprintActivated) = "blueprint:activated",
        BlueprintArchived(BlueprintArchived) = "blueprint:archived",
        AutomationCreated(Box<AutomationCreated>) = "automation:created",
        AutomationUpdated(Box<AutomationUpdated>) = "automation:updated",
        AutomationEnabled(AutomationEnabled) = "automation:enabled",
        AutomationDisabled(AutomationDisabled) = "automation:disabled",
        AutomationRemoved(AutomationRemoved) = "automation:removed",
        AutomationFired(AutomationFired) = "automation:fired",
        AutomationSkipped(AutomationSkipped) = "automation:skipped",
        SectorCreated(SectorCreated) = "sector:created",
        SectorUpdated(SectorUpdated) = "sector:updated",
        SectorsSeeded(SectorsSeeded) = "sector:seeded",
        ScoringProfilePublished(Box<ScoringProfilePublished>) = "scoring_profile:published",
        ScoringProfileActivated(ScoringProfileActivated) = "scoring_profile:activated",
        LeadsCreated(Box<LeadsCreated>) = "lead:created",
        LeadUpdated(LeadUpdated) = "lead:updated",
        ProviderConfigured(ProviderConfigured) = "provider:configured",
        ProviderRemoved(ProviderRemoved) = "provider:removed",
        ProviderLimited(ProviderLimited) = "provider:limited",
        TemplatePublished(TemplatePublished) = "template:published",
        MessageApproved(MessageDecided) = "message:approved",
        MessageRejected(MessageDecided) = "message:rejected",
        MessageReceived(MessageReceived) = "message:received",
        SuppressionAdded(SuppressionChanged) = "suppression:added",
        SuppressionRemoved(SuppressionChanged) = "suppression:removed",
        SendingUpdated(SendingUpdated) = "sending:updated",
        NumberAdded(NumberChanged) = "number:added",
        NumberRemoved(NumberChanged) = "number:removed",
        TokenCreated(TokenCreated) = "token:created",
        TokenRevoked(TokenRevoked) = "token:revoked",
        WebhookReceived(Box<WebhookReceived>) = "webhook:received",
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantCreated {
    pub name: String,
    pub slug: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TenantUpdated {
    pub active_runs: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ActorCreated {
    pub actor_id: ActorId,
    pub kind: String,
    pub role: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyCreated {
    pub key_id: KeyId,
    pub actor_id: ActorId,
    pub role: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at_micros: Option<Micros>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyRevoked {
    pub key_id: KeyId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImportCompleted {
    pub import_id: ImportId,
    pub object_path: String,
    pub size_bytes: u64,
    pub checksum: String,
    pub rows: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlueprintPublished {
    pub blueprint_id: BlueprintId,
    pub name: String,
    pub version: u32,
    pub stages: Vec<StageSpec>,
}

/// New runs take this version; of a blueprint that was put away, it is taken out again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlueprintActivated {
    pub blueprint_id: BlueprintId,
    pub version: u32,
}

/// No new run takes the blueprint; runs that have pinned a version keep it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlueprintArchived {
    pub blueprint_id: BlueprintId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SectorCreated {
    pub sector_id: SectorId,
    pub slug: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SectorUpdated {
    pub sector_id: SectorId,
}

/// The tenant got those sectors of a set that it lacked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SectorsSeeded {
    pub set: String,
    pub sectors: u64,
}

/// A version of a scoring profile, in full: it is never changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScoringProfilePublished {
    pub name: String,
    pub version: u32,
    /// Each `{name, points, on, …}`.
    pub factors: Value,
    pub high: u8,
    pub medium: u8,
}

/// New runs pin this version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScoringProfileActivated {
    pub name: String,
    pub version: u32,
}

/// An API call brought leads; on the stream of the import that holds them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeadsCreated {
    pub import_id: ImportId,
    /// A lead a line.
    pub object_path: String,
    /// In the object: `created` and `existing`.
    pub leads: u64,
    pub created: u64,
    /// They belong to leads that other inputs brought.
    pub existing: u64,
    /// They repeat others of the call.
    pub duplicates: u64,
    /// They belong to leads that other inputs brought, which the call did not want.
    pub left_out: u64,
}

/// A person moved a lead to another status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeadUpdated {
    pub lead_id: LeadId,
    pub from_status: String,
    pub status: String,
}

/// The tenant's own credential at a provider was set, in place of any earlier one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderConfigured {
    pub provider: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderRemoved {
    pub provider: String,
}

/// How many people the tenant lets a provider be asked for; absent is no limit of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderLimited {
    pub provider: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<u32>,
}
