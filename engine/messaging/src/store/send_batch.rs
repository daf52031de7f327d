//! What all sends of one block have in common when they are queued.

use luci_schema::{BlockId, LeadId, RunId};

use crate::rules::context::CampaignContext;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendBatch<'a> {
    pub run: RunId,
    pub block: BlockId,
    /// A campaign id or the root run's id.
    pub campaign: &'a str,
    pub context: CampaignContext,
    pub mode: ApprovalMode,
    /// In whose name messages are written.
    pub agent: &'a str,
    pub media_url: Option<&'a str>,
}

impl SendBatch<'_> {
    /// The template category: `sms_retarget`
    pub fn category(&self) -> String {
        format!("sms_{}", self.context)
    }
}

/// Whether a person must approve a message before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalMode {
    #[default]
    Draft,
    Immediate,
}

/// The lead that a send key belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SendOwner {
    pub lead: LeadId,
    /// Whether this block queued it, now or in an earlier delivery.
    pub own: bool,
}

impl SendOwner {
    /// Whether this block queued it for the lead.
    pub fn is(&self, lead: LeadId) -> bool {
        self.own && self.lead == lead
    }
}
