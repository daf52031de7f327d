//! The built-in texts: the choice of a text by context, and of an opener by lead.

use luci_schema::{LeadId, RunId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::rules::context::CampaignContext;

/// The audience of the openers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Category {
    BlueCollar,
    Property,
    Business,
    #[default]
    General,
    NyDirect,
    RealEstate,
}

impl Category {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BlueCollar => "blue_collar",
            Self::Property => "property",
            Self::Business => "business",
            Self::General => "general",
            Self::NyDirect => "ny_direct",
            Self::RealEstate => "real_estate",
        }
    }

    const fn openers(self) -> &'static [BuiltInText] {
        match self {
            Self::BlueCollar => BLUE_COLLAR_OPENERS,
            Self::Property => PROPERTY_OPENERS,
            Self::Business => BUSINESS_OPENERS,
            Self::General => GENERAL_OPENERS,
            Self::NyDirect => NY_DIRECT_OPENERS,
            Self::RealEstate => REAL_ESTATE_OPENERS,
        }
    }
}

/// A built-in text and the name it is recorded under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltInText {
    pub name: &'static str,
    pub body: &'static str,
}

const fn text(name: &'static str, body: &'static str) -> BuiltInText {
    BuiltInText { name, body }
}

const BLUE_COLLAR_OPENERS: &[BuiltInText] = &[
    text("blue_collar_1", "Hi {firstName}, do you still run {company} in {city}? Reply STOP to opt out."),
    text("blue_collar_2", "{firstName}, is {company} taking on more work around {city}? Reply STOP to opt out."),
    text("blue_collar_3", "Hi {firstName}, who plans the jobs at {company}? Reply STOP to opt out."),
];
const PROPERTY_OPENERS: &[BuiltInText] = &[
    text("property_1", "Hi {firstName}, are you still the owner of the place in {city}? Reply STOP to opt out."),
    text("property_2", "{firstName}, would you talk about your property in {city}? Reply STOP to opt out."),
];
const BUSINESS_OPENERS: &[BuiltInText] = &[
    text("business_1", "Hi {firstName}, are you the one who decides at {company}? Reply STOP to opt out."),
    text("business_2", "{firstName}, could I ask one question about {company}? Reply STOP to opt out."),
];
const GENERAL_OPENERS: &[BuiltInText] = &[
    text("general_1", crate::rules::message::DEFAULT_TEMPLATE),
    text("general_2", "Hi {firstName}, do you have a minute for a question about {company}? Reply STOP to opt out."),
];
const NY_DIRECT_OPENERS: &[BuiltInText] = &[
    text("ny_direct_1", "Hi {firstName}, is {company} still busy in {city}, NY? Reply STOP to opt out."),
    text("ny_direct_2", "{firstName}, quick question on {company} in {city}? Reply STOP to opt out."),
];
const REAL_ESTATE_OPENERS: &[BuiltInText] = &[
    text("real_estate_1", "Hi {firstName}, would you consider an offer in {city}? Reply STOP to opt out."),
    text("real_estate_2", "{firstName}, are you thinking of selling in {city}? Reply STOP to opt out."),
];

const DAY_3: BuiltInText =
    text("ghost_day_3", "Hi {firstName}, did you see my note about {company}? Reply STOP to opt out.");
const DAY_7: BuiltInText =
    text("ghost_day_7", "{firstName}, is another time better to talk about {company}? Reply STOP to opt out.");
const FINAL: BuiltInText =
    text("ghost_final", "{firstName}, shall I close the file on {company}? Reply STOP to opt out.");
const SOFT_NO: BuiltInText =
    text("soft_no", "No hurry, {firstName}. May I check back on {company} later? Reply STOP to opt out.");
const SCHEDULE: BuiltInText =
    text("schedule_call", "{firstName}, which day suits you for a short call? Reply STOP to opt out.");
const CONFIRM: BuiltInText =
    text("appointment_confirm", "Hi {firstName}, are we still on for our appointment? Reply STOP to opt out.");
const FOLLOW_UP: BuiltInText =
    text("follow_up_1", "Hi {firstName}, any thoughts on my question about {company}? Reply STOP to opt out.");

/// The text of a context. `retarget` is the number of the retarget: 1 is the day 3 text, 2 day 7, 3 and above final.
pub fn choose(context: CampaignContext, category: Category, retarget: u32, run: RunId, lead: LeadId) -> BuiltInText {
    match context {
        CampaignContext::Retarget => [DAY_3, DAY_7, FINAL][retarget.clamp(1, 3) as usize - 1],
        CampaignContext::Ghost => DAY_3,
        CampaignContext::Nurture => SOFT_NO,
        CampaignContext::BookAppointment => SCHEDULE,
        CampaignContext::ConfirmAppointment => CONFIRM,
        CampaignContext::FollowUp => FOLLOW_UP,
        CampaignContext::Initial | CampaignContext::Scheduled | CampaignContext::Instant | CampaignContext::Nudger => {
            let openers = category.openers();
            openers[seed(run, lead) as usize % openers.len()]
        }
    }
}

/// Derived from run and lead, so that a repeated block renders the same text.
fn seed(run: RunId, lead: LeadId) -> u32 {
    let digest = Sha256::digest(format!("{run}/{lead}"));
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::{message, segments};
    use luci_leads::lead_id;

    #[test]
    fn each_context_has_a_text_and_a_lead_always_gets_the_same_opener() {
        let (run, lead) = (RunId::generate(), lead_id("import_x", 1));
        let name = |context, retarget| choose(context, Category::General, retarget, run, lead).name;
        let retargets = [0, 1, 2, 3, 4].map(|n| name(CampaignContext::Retarget, n));
        assert_eq!(retargets, ["ghost_day_3", "ghost_day_3", "ghost_day_7", "ghost_final", "ghost_final"]);
        assert_eq!((name(CampaignContext::Ghost, 9), name(CampaignContext::Nurture, 1)), ("ghost_day_3", "soft_no"));
        assert_eq!(name(CampaignContext::BookAppointment, 1), "schedule_call");
        assert_eq!(name(CampaignContext::ConfirmAppointment, 1), "appointment_confirm");
        assert_eq!(name(CampaignContext::FollowUp, 1), "follow_up_1");
        assert_eq!(name(CampaignContext::Initial, 1), name(CampaignContext::Initial, 1));
        let opener =
            |row| choose(CampaignContext::Initial, Category::BlueCollar, 1, run, lead_id("import_x", row)).name;
        let seen: std::collections::BTreeSet<_> = (1..60).map(opener).collect();
        assert_eq!(seen.len(), 3, "every opener is used");
    }

    #[test]
    fn built_in_texts_have_one_segment_and_opt_out_wording() {
        let categories = [
            Category::BlueCollar,
            Category::Property,
            Category::Business,
            Category::General,
            Category::NyDirect,
            Category::RealEstate,
        ];
        let openers = categories.iter().flat_map(|category| category.openers());
        for text in openers.chain(&[DAY_3, DAY_7, FINAL, SOFT_NO, SCHEDULE, CONFIRM, FOLLOW_UP]) {
            let lead = luci_leads::Lead::bare(lead_id("import_x", 1), 1, 2);
            let rendered = message::render(text.body, &lead);
            assert_eq!(segments::count(&rendered), 1, "{}", text.name);
            assert_eq!(rendered.matches("STOP").count(), 1, "{rendered}");
        }
    }
}
