//! Events of configuration, leads, received webhooks and imports.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    automation::{
        AutomationCreated, AutomationDisabled, AutomationEnabled, AutomationFired, AutomationRemoved,
        AutomationSkipped, AutomationUpdated,
    },
    contact::{
        HoldDecided, MessageDecided, MessageReceived, NumberChanged, NumberPaused, SendingUpdated, SuppressionChanged,
        TemplatePublished, TokenCreated, TokenRevoked, WebhookReceived, WebhookResolved,
    },
    events,
    removal::{ErasureRequested, LeadErased, ObjectExpired, RetentionUpdated},
    run::StageSpec,
};
use crate::{ActorId, BlueprintId, ImportId, KeyId, LeadId, Micros, SectorId};

events! {
    /// Changes of configuration, leads, webhooks and imports; appended in the transaction that changes the table.
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
        HoldReleased(HoldDecided) = "hold:released",
        HoldSuppressed(HoldDecided) = "hold:suppressed",
        SendingUpdated(SendingUpdated) = "sending:updated",
        NumberAdded(NumberChanged) = "number:added",
        NumberRemoved(NumberChanged) = "number:removed",
        NumberPaused(NumberPaused) = "number:paused",
        TokenCreated(TokenCreated) = "token:created",
        TokenRevoked(TokenRevoked) = "token:revoked",
        WebhookReceived(Box<WebhookReceived>) = "webhook:received",
        WebhookResolved(WebhookResolved) = "webhook:resolved",
        ErasureRequested(ErasureRequested) = "erasure:requested",
        LeadErased(Box<LeadErased>) = "lead:erased",
        RetentionUpdated(RetentionUpdated) = "retention:updated",
        ObjectExpired(Box<ObjectExpired>) = "object:expired",
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

/// New runs use this version. Activating a version of an archived blueprint restores the blueprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BlueprintActivated {
    pub blueprint_id: BlueprintId,
    pub version: u32,
}

/// No new run uses the blueprint; runs that have pinned a version keep it.
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

/// The tenant's missing sectors of a set were created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SectorsSeeded {
    pub set: String,
    pub sectors: u64,
}

/// A complete, immutable version of a scoring profile.
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

/// Leads from an API call, in the stream of their import.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeadsCreated {
    pub import_id: ImportId,
    /// One lead per line.
    pub object_path: String,
    /// Leads in the object: `created` plus `existing`.
    pub leads: u64,
    pub created: u64,
    /// Matched to leads of other inputs.
    pub existing: u64,
    /// Duplicates within the call.
    pub duplicates: u64,
    /// Matched to leads of other inputs and left out, as the call requested.
    pub left_out: u64,
}

/// A person changed a lead's status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LeadUpdated {
    pub lead_id: LeadId,
    pub from_status: String,
    pub status: String,
}

/// The tenant's credential for a provider was set or replaced.
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

/// The tenant's limits of people looked up at a provider; absent: no limit of the tenant's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProviderLimited {
    pub provider: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_minute: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_day: Option<u32>,
}
