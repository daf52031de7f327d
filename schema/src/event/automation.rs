//! What starts runs by itself, as its events hold it, and what became of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AutomationId, BlueprintId, RunId, SectorId};

/// An automation's definition. Both sets of conditions, the trigger's and its own, must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomationSpec {
    pub name: String,
    pub trigger: Trigger,
    /// What its runs go through.
    pub blueprint_id: BlueprintId,
    /// Whose members its runs read, where the trigger brings no leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_id: Option<SectorId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Leads that one of its runs takes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_leads: Option<u64>,
    /// Of each of its runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_micros: Option<u64>,
}

/// What an automation waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Trigger {
    /// A VALIDATE block or an API call made leads; its run reads those.
    LeadCreated {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conditions: Vec<Condition>,
    },
    /// A lead wrote to us.
    MessageReceived {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conditions: Vec<Condition>,
    },
    /// A webhook arrived.
    Webhook {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conditions: Vec<Condition>,
    },
    /// The clock of a zone strikes.
    Schedule {
        /// Minute, hour, day of the month, month, day of the week.
        cron: String,
        /// IANA name.
        #[serde(default = "utc")]
        time_zone: String,
        #[serde(default)]
        overlap: Overlap,
        #[serde(default)]
        catch_up: CatchUp,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conditions: Vec<Condition>,
    },
}

fn utc() -> String {
    "UTC".into()
}

/// What becomes of a due time while an earlier run of the automation has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    #[default]
    Skip,
    /// It waits for the end.
    Queue,
    Allow,
}

/// Which due times are made up for that passed while no clock ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    None,
    #[default]
    Last,
    All,
}

/// A question about the facts of a trigger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Condition {
    And {
        and: Vec<Condition>,
    },
    Or {
        or: Vec<Condition>,
    },
    Not {
        not: Box<Condition>,
    },
    Compare {
        /// Names of the facts, joined by dots.
        field: String,
        op: Operator,
        #[serde(default, skip_serializing_if = "Value::is_null")]
        value: Value,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Operator {
    Eq,
    Neq,
    Gt,
    Gte,
    Lt,
    Lte,
    In,
    Contains,
    StartsWith,
    EndsWith,
    Exists,
}

/// It was made; it waits to be enabled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomationCreated {
    pub automation_id: AutomationId,
    pub spec: AutomationSpec,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomationUpdated {
    pub automation_id: AutomationId,
    pub spec: AutomationSpec,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomationEnabled {
    pub automation_id: AutomationId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomationDisabled {
    pub automation_id: AutomationId,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomationRemoved {
    pub automation_id: AutomationId,
}

/// It started a run. `cause` is the event's id, or `due:` and the microseconds of the due time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomationFired {
    pub automation_id: AutomationId,
    pub cause: String,
    pub run_id: RunId,
}

/// It was to start a run, and did not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomationSkipped {
    pub automation_id: AutomationId,
    pub cause: String,
    /// `overlap`, or what the run could not be put together for.
    pub reason: String,
}
