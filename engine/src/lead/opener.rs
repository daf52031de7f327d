//! The built-in texts: which one a context calls for, and which opener a lead gets, the same one each time.

use luci_schema::{LeadId, RunId};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::context::Context;

/// Whom the openers speak to.
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

    const fn openers(self) -> &'static [Text] {
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
pub struct Text {
    pub name: &'static str,
    pub body: &'static str,
}

const fn text(name: &'static str, body: &'static str) -> Text {
    Text { name, body }
}

const BLUE_COLLAR_OPENERS: &[Text] = &[
    text("blue_collar_1", "Hi {firstName}, do you still run {company} in {city}? Reply STOP to opt out."),
    text("blue_collar_2", "{firstName}, is {company} taking on more work around {city}? Reply STOP to opt out."),
    text("blue_collar_3", "Hi {firstName}, who plans the jobs at {company}? Reply STOP to opt out."),
];
const PROPERTY_OPENERS: &[Text] = &[
    text("property_1", "Hi {firstName}, are you still the owner of the place in {city}? Reply STOP to opt out."),
    text("property_2", "{firstName}, would you talk about your property in {city}? Reply STOP to opt out."),
];
const BUSINESS_OPENERS: &[Text] = &[
    text("business_1", "Hi {firstName}, are you the one who decides at {company}? Reply STOP to opt out."),
    text("business_2", "{firstName}, could I ask one question about {company}? Reply STOP to opt out."),
];
const GENERAL_OPENERS: &[Text] = &[
    text("general_1", super::message::DEFAULT_TEMPLATE),
    text("general_2", "Hi {firstName}, do you have a minute for a question about {company}? Reply STOP to opt out."),
];
const NY_DIRECT_OPENERS: &[Text] = &[
    text("ny_direct_1", "Hi {firstName}, is {company} still busy in {city}, NY? Reply STOP to opt out."),
    text("ny_direct_2", "{firstName}, quick question on {company} in {city}? Reply STOP to opt out."),
];
const REAL_ESTATE_OPENERS: &[Text] = &[
    text("real_estate_1", "Hi {firstName}, would you consider an offer in {city}? Reply STOP to opt out."),
    text("real_estate_2", "{firstName}, are you thinking of selling in {city}? Reply STOP to opt out."),
];

const DAY_3: Text = text("ghost_day_3", "Hi {firstName}, did you see my note about {company}? Reply STOP to opt out.");
const DAY_7: Text =
    text("ghost_day_7", "{firstName}, is another time better to talk about {company}? Reply STOP to opt out.");
const FINAL: Text = text("ghost_final", "{firstName}, shall I close the file on {company}? Reply STOP to opt out.");
const SOFT_NO: Text =
    text("soft_no", "No hurry, {firstName}. May I check back on {company} later? Reply STOP to opt out.");
const SCHEDULE: Text =
    text("schedule_call", "{firstName}, which day suits you for a short call? Reply STOP to opt out.");
const CONFIRM: Text =
    text("appointment_confirm", "Hi {firstName}, are we still on for our appointment? Reply STOP to opt out.");
const FOLLOW_UP: Text =
    text("follow_up_1", "Hi {firstName}, any thoughts on my question about {company}? Reply STOP to opt out.");

/// The text of a context. Retargets go day 3, day 7, final by their own number (1, 2, then 3 for good).
pub fn choose(context: Context, category: Category, retarget: u32, run: RunId, lead: LeadId) -> Text {
    match context {
        Context::Retarget => [DAY_3, DAY_7, FINAL][retarget.clamp(1, 3) as usize - 1],
        Context::Ghost => DAY_3,
        Context::Nurture => SOFT_NO,
        Context::BookAppointment => SCHEDULE,
        Context::ConfirmAppointment => CONFIRM,
        Context::FollowUp => FOLLOW_UP,
        Context::Initial | Context::Scheduled | Context::Instant | Context::Nudger => {
            let openers = category.openers();
            openers[seed(run, lead) as usize % openers.len()]
        }
    }
}

/// The same for the same lead of the same run, so that a repeated block renders the same words.
fn seed(run: RunId, lead: LeadId) -> u32 {
    let digest = Sha256::digest(format!("{run}/{lead}"));
    u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead::{lead_id, message, segments};

    #[test]
    fn each_context_has_its_text_and_a_lead_always_the_same_opener() {
        let (run, lead) = (RunId::generate(), lead_id("import_x", 1));
        let name = |context, retarget| choose(context, Category::General, retarget, run, lead).name;
        let retargets = [0, 1, 2, 3, 4].map(|n| name(Context::Retarget, n));
        assert_eq!(retargets, ["ghost_day_3", "ghost_day_3", "ghost_day_7", "ghost_final", "ghost_final"]);
        assert_eq!((name(Context::Ghost, 9), name(Context::Nurture, 1)), ("ghost_day_3", "soft_no"));
        assert_eq!(name(Context::BookAppointment, 1), "schedule_call");
        assert_eq!(name(Context::ConfirmAppointment, 1), "appointment_confirm");
        assert_eq!(name(Context::FollowUp, 1), "follow_up_1");
        assert_eq!(name(Context::Initial, 1), name(Context::Initial, 1));
        let opener = |row| choose(Context::Initial, Category::BlueCollar, 1, run, lead_id("import_x", row)).name;
        let seen: std::collections::BTreeSet<_> = (1..60).map(opener).collect();
        assert_eq!(seen.len(), 3, "every opener is used");
    }

    #[test]
    fn built_in_texts_are_short_and_offer_a_way_out() {
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
            let lead = crate::lead::Lead::bare(lead_id("import_x", 1), 1, 2);
            let rendered = message::render(text.body, &lead);
            assert_eq!(segments::count(&rendered), 1, "{}", text.name);
            assert_eq!(rendered.matches("STOP").count(), 1, "{rendered}");
        }
    }
}
