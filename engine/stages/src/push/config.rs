//! The settings of PUSH: channels, text, campaign and attempt.

use std::collections::BTreeSet;

use luci_messaging::{
    rules::{channel::Channel, context::CampaignContext, opener::Category, retarget::RetargetRules},
    store::send_batch::ApprovalMode,
};
use luci_schema::{CampaignId, RunId, TemplateId};
use serde::Deserialize;
use serde_json::Value;

use crate::settings::{self, BadSetting};

/// The name that messages are signed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Agent {
    #[default]
    Gianna,
    Sabrina,
}

impl Agent {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gianna => "gianna",
            Self::Sabrina => "sabrina",
        }
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Config {
    pub channels: BTreeSet<Channel>,
    /// `draft`: a person approves each message; `immediate`: the sender takes it as soon as its window opens.
    pub mode: ApprovalMode,
    pub context: CampaignContext,
    /// The blueprint's own text, with variables.
    pub template: Option<String>,
    /// A template of the tenant; without this and `template`, a built-in text by context and category.
    pub template_id: Option<TemplateId>,
    pub template_category: Category,
    /// A picture: the message is sent as MMS.
    pub media_url: Option<String>,
    pub agent: Agent,
    /// `camp_…` or `run_…`; the lineage's first run when absent.
    pub campaign_id: Option<String>,
    pub campaign_name: Option<String>,
    /// Within the campaign. Retargets are numbered automatically.
    pub attempt_number: u32,
    /// Whether leads that do not answer are retargeted automatically.
    pub auto_retarget: bool,
    /// A retarget is a draft, whatever `mode` says.
    pub require_human_approval: bool,
    pub retarget: RetargetRules,
    /// Whether text messages may go to VoIP numbers.
    pub allow_voip: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            channels: BTreeSet::from([Channel::Sms, Channel::Call]),
            mode: ApprovalMode::Draft,
            context: CampaignContext::Initial,
            template: None,
            template_id: None,
            template_category: Category::General,
            media_url: None,
            agent: Agent::Gianna,
            campaign_id: None,
            campaign_name: None,
            attempt_number: 1,
            auto_retarget: true,
            require_human_approval: true,
            retarget: RetargetRules::default(),
            allow_voip: false,
        }
    }
}

impl Config {
    /// Reads and checks. `null` is all defaults.
    pub fn read(config: &Value) -> Result<Self, BadSetting> {
        let config: Self = settings::read(config)?;
        config.check().map(|()| config)
    }

    fn check(&self) -> Result<(), BadSetting> {
        if self.channels.is_empty() {
            return Err(BadSetting::new("channels", "sms, call or both"));
        }
        within("attemptNumber", self.attempt_number, 1, 100)?;
        within("retarget.threshold", self.retarget.threshold, 1, 20)?;
        within("retarget.max", self.retarget.max, 1, 20)?;
        within("retarget.hours", self.retarget.hours, 1, 8_760)?;
        if self.template.is_some() && self.template_id.is_some() {
            return Err(BadSetting::new("templateId", "either templateId or template"));
        }
        let words = |text: &String| (1..=1_600).contains(&text.trim().chars().count());
        if self.template.as_ref().is_some_and(|text| !words(text)) {
            return Err(BadSetting::new("template", "1 to 1600 characters"));
        }
        if self.campaign_name.as_ref().is_some_and(|name| !(1..=200).contains(&name.trim().chars().count())) {
            return Err(BadSetting::new("campaignName", "1 to 200 characters"));
        }
        let known = |id: &String| id.parse::<CampaignId>().is_ok() || id.parse::<RunId>().is_ok();
        if self.campaign_id.as_ref().is_some_and(|id| !known(id)) {
            return Err(BadSetting::new("campaignId", "a campaign id (camp_…) or a run id (run_…)"));
        }
        let web = |text: &String| url::Url::parse(text).is_ok_and(|url| url.scheme() == "https");
        if self.media_url.as_ref().is_some_and(|text| !web(text)) {
            return Err(BadSetting::new("mediaUrl", "an https URL"));
        }
        Ok(())
    }

    /// Whether a person must approve each text message first.
    pub fn mode(&self) -> ApprovalMode {
        if self.context == CampaignContext::Retarget && self.require_human_approval {
            ApprovalMode::Draft
        } else {
            self.mode
        }
    }
}

fn within(field: &str, value: u32, least: u32, most: u32) -> Result<(), BadSetting> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(BadSetting::new(field, format!("{least} to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn invalid_settings_are_named() {
        for (config, field) in [
            (json!({"channels": []}), "channels"),
            (json!({"attemptNumber": 0}), "attemptNumber"),
            (json!({"template": " "}), "template"),
            (json!({"template": "x", "templateId": TemplateId::generate()}), "templateId"),
            (json!({"campaignId": "spring"}), "campaignId"),
            (json!({"campaignName": ""}), "campaignName"),
            (json!({"mediaUrl": "http://x.example/a.png"}), "mediaUrl"),
            (json!({"retarget": {"hours": 0}}), "retarget.hours"),
            (json!({"retarget": {"max": 21}}), "retarget.max"),
            (json!({"window": "9-17"}), "window"),
            (json!({"mode": "now"}), "mode"),
            (json!({"context": "deal"}), "context"),
            (json!([]), "config"),
        ] {
            assert_eq!(Config::read(&config).expect_err("refused").field, field, "{config}");
        }
        assert!(Config::read(&json!({"mode": "now"})).expect_err("refused").expected.contains("`draft`"));
        assert!(Config::read(&Value::Null).is_ok());
        let whole = json!({"channels": ["sms", "dialer"], "context": "nudger", "campaignId": RunId::generate(),
            "agent": "sabrina", "templateCategory": "ny_direct", "mediaUrl": "https://x.example/a.png"});
        assert_eq!(Config::read(&whole).expect("right").channels.len(), 2);
    }

    #[test]
    fn a_retarget_waits_for_a_person() {
        let mode = |config: Value| Config::read(&config).expect("right").mode();
        assert_eq!(mode(json!({"mode": "immediate"})), ApprovalMode::Immediate);
        assert_eq!(mode(json!({"mode": "immediate", "context": "retarget"})), ApprovalMode::Draft);
        let without = json!({"mode": "immediate", "context": "retarget", "requireHumanApproval": false});
        assert_eq!(mode(without), ApprovalMode::Immediate);
    }
}
