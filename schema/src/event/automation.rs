//! Events of automations, which start runs on triggers, and their definition.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{AutomationId, BlueprintId, RunId, SectorId};

/// An automation's definition. Both sets of conditions, the trigger's and its own, must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomationSpec {
    pub name: String,
    pub trigger: Trigger,
    /// The blueprint of its runs.
    pub blueprint_id: BlueprintId,
    /// The sector that its runs read when the trigger has no leads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sector_id: Option<SectorId>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// Leads that each of its runs takes at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_leads: Option<u64>,
    /// Budget of each of its runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_micros: Option<u64>,
}

/// What starts an automation's run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Trigger {
    /// A VALIDATE block or an API call created leads; the run reads those.
    LeadCreated {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conditions: Vec<Condition>,
    },
    /// A lead sent a message.
    MessageReceived {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conditions: Vec<Condition>,
    },
    /// A webhook arrived.
    Webhook {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        conditions: Vec<Condition>,
    },
    /// Due times of a cron expression in a time zone.
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

/// What to do at a due time while an earlier run of the automation is active.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    #[default]
    Skip,
    /// Start when the earlier run has ended.
    Queue,
    Allow,
}

/// Which due times are started late that passed while no clock ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    None,
    #[default]
    Last,
    All,
}

/// A condition on the data of a trigger.
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
        /// Path of field names, joined by dots.
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

/// Created, not enabled yet.
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

/// The automation started a run. `cause` is the event's id, or `due:` and the due time in microseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomationFired {
    pub automation_id: AutomationId,
    pub cause: String,
    pub run_id: RunId,
}

/// The automation was triggered but started no run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AutomationSkipped {
    pub automation_id: AutomationId,
    pub cause: String,
    /// `overlap`, or why the run could not be created.
    pub reason: String,
}
