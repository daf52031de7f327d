//! Scoring profiles: a table of factors as data. The score is the sum of the points of all factors that match, at most 100;
//! the breakdown lists them, so that an auditor can add them up.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::{
    Lead, PhoneKind, Range,
    lead::{
        Warning,
        scored::{Points, Priority, Scored},
        seniority::Seniority,
    },
    score::tags,
};

/// The condition of a factor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "on", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Criterion {
    /// The SIC code starts with one of these.
    SicPrefix {
        prefixes: Vec<String>,
    },
    /// US dollars a year, both ends included.
    Revenue {
        from: u64,
        to: Option<u64>,
    },
    Employees {
        from: u64,
        to: Option<u64>,
    },
    /// Whole years since the company was founded.
    YearsInBusiness {
        from: u64,
        to: Option<u64>,
    },
    /// The name of a person is known, not only of the company.
    OwnerIdentified,
    MobilePhone,
    Email,
    Properties {
        from: u64,
    },
    /// More than this amount in US dollars.
    EquityAbove {
        dollars: u64,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Factor {
    pub name: String,
    pub points: u8,
    #[serde(flatten)]
    pub test: Criterion,
}

/// A versioned table of factors, and the thresholds of the priorities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    pub name: String,
    pub version: u32,
    pub factors: Vec<Factor>,
    /// Lowest score of priority high.
    pub high: u8,
    /// Lowest score of priority medium.
    pub medium: u8,
}

/// The former scorer B, with the blue-collar codes of scorer A, as data.
static FIT: LazyLock<Profile> = LazyLock::new(|| {
    #[allow(clippy::expect_used)] // Compiled in, and parsed by a test.
    serde_json::from_str(include_str!("../../data/fit_1.json")).expect("fit_1.json is a profile")
});

impl Default for Profile {
    fn default() -> Self {
        FIT.clone()
    }
}

impl Profile {
    /// Scores a lead as of `year`. Callers pass the year in which the run started, so that a replay gives the same score.
    pub fn score(&self, lead: &Lead, year: i32) -> Scored {
        let matching = self.factors.iter().filter(|factor| factor.test.matches(lead, year));
        let breakdown: Vec<Points> = matching.map(|f| Points { factor: f.name.clone(), points: f.points }).collect();
        let sum: u32 = breakdown.iter().map(|p| u32::from(p.points)).sum();
        let score = u8::try_from(sum.min(100)).unwrap_or(100);
        let priority = match score {
            s if s >= self.high => Priority::High,
            s if s >= self.medium => Priority::Medium,
            _ => Priority::Low,
        };
        Scored {
            score,
            priority,
            profile: format!("{}/{}", self.name, self.version),
            breakdown,
            tags: tags::of(lead, year).into_iter().map(str::to_owned).collect(),
            has_mobile: has_mobile(lead),
            dnc: !lead.phones.is_empty() && lead.phones.iter().all(|phone| phone.dnc),
            suppressed: lead.warnings.contains(&Warning::Suppressed),
            is_decision_maker: lead.who.seniority.is_some_and(Seniority::decides),
        }
    }
}

impl Criterion {
    fn matches(&self, lead: &Lead, year: i32) -> bool {
        let within = |value: Option<u64>, from: u64, to: Option<u64>| {
            value.is_some_and(|value| value >= from && to.is_none_or(|to| value <= to))
        };
        let firm = &lead.firm;
        match self {
            Self::SicPrefix { prefixes } => {
                firm.sic_code.as_deref().is_some_and(|sic| prefixes.iter().any(|p| sic.starts_with(p.as_str())))
            }
            Self::Revenue { from, to } => within(firm.revenue.map(Range::midpoint), *from, *to),
            Self::Employees { from, to } => within(firm.employees.map(Range::midpoint), *from, *to),
            Self::YearsInBusiness { from, to } => within(years(lead, year), *from, *to),
            Self::OwnerIdentified => owner_identified(lead),
            Self::MobilePhone => has_mobile(lead),
            Self::Email => lead.who.email.is_some(),
            Self::Properties { from } => properties(lead) >= *from,
            Self::EquityAbove { dollars } => lead.household.equity.is_some_and(|equity| equity > *dollars),
        }
    }
}

/// Whole years in business in `year`.
pub fn years(lead: &Lead, year: i32) -> Option<u64> {
    lead.firm.year_established.and_then(|founded| u64::try_from(year.checked_sub(founded)?).ok())
}

/// Whether the name of a person is known.
pub fn owner_identified(lead: &Lead) -> bool {
    lead.who.contact_name.is_some() || lead.who.last_name.is_some()
}

fn has_mobile(lead: &Lead) -> bool {
    lead.phones.iter().any(|phone| phone.kind == PhoneKind::Mobile && phone.usable())
}

/// Properties owned; at least one when the person owns a home.
pub fn properties(lead: &Lead) -> u64 {
    let at_least = u64::from(lead.household.home_owner == Some(true));
    lead.household.properties.map_or(at_least, |n| u64::from(n).max(at_least))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Phone, lead_id};

    fn lead() -> Lead {
        let mut lead = Lead::bare(lead_id("import_x", 1), 1, 2);
        lead.firm.sic_code = Some("1711".into());
        lead
    }

    fn score(change: impl Fn(&mut Lead)) -> u8 {
        let mut lead = lead();
        change(&mut lead);
        Profile::default().score(&lead, 2026).score
    }

    #[test]
    fn each_factor_has_its_points() {
        let trades = tags::BLUE_COLLAR.map(str::to_owned).to_vec();
        assert_eq!(Profile::default().factors[0].test, Criterion::SicPrefix { prefixes: trades });
        let trade = 15;
        assert_eq!(score(|_| ()), trade);
        assert_eq!(score(|l| l.firm.sic_code = Some("5812".into())), 0);
        for (revenue, points) in [(499_999, 0), (500_000, 20), (10_000_000, 20), (10_000_001, 10)] {
            assert_eq!(score(|l| l.firm.revenue = Some(Range::exactly(revenue))), trade + points, "{revenue}");
        }
        for (employees, points) in [(4, 0), (5, 15), (50, 15), (51, 10), (200, 10), (201, 0)] {
            assert_eq!(score(|l| l.firm.employees = Some(Range::exactly(employees))), trade + points, "{employees}");
        }
        for (founded, points) in [(2022, 0), (2021, 10), (2011, 10), (2010, 0), (2006, 15), (1900, 15), (2030, 0)] {
            assert_eq!(score(|l| l.firm.year_established = Some(founded)), trade + points, "{founded}");
        }
        for (properties, points) in [(0, 0), (1, 10), (2, 10), (3, 15)] {
            assert_eq!(score(|l| l.household.properties = Some(properties)), trade + points, "{properties}");
        }
        assert_eq!(score(|l| l.household.home_owner = Some(true)), trade + 10);
        assert_eq!(score(|l| l.household.equity = Some(100_000)), trade);
        assert_eq!(score(|l| l.household.equity = Some(100_001)), trade + 10);
        assert_eq!(score(|l| l.who.contact_name = Some("Ann".into())), trade + 10);
        assert_eq!(score(|l| l.who.email = Some("a@b.co".into())), trade + 5);
    }

    #[test]
    fn flags_do_not_change_the_score() {
        let mobile = Phone::new("+12125550147".into(), PhoneKind::Mobile, "file");
        let mut lead = lead();
        lead.phones.push(mobile);
        lead.who.seniority = Some(Seniority::Owner);
        let scored = Profile::default().score(&lead, 2026);
        assert_eq!((scored.score, scored.has_mobile, scored.dnc, scored.is_decision_maker), (25, true, false, true));
        lead.phones[0].dnc = true;
        let scored = Profile::default().score(&lead, 2026);
        assert_eq!((scored.score, scored.has_mobile, scored.dnc), (15, false, true));
    }

    #[test]
    fn the_score_is_at_most_100_and_the_breakdown_adds_up() {
        let mut lead = lead();
        lead.firm.revenue = Some(Range::exactly(2_000_000));
        lead.firm.employees = Some(Range::exactly(20));
        lead.firm.year_established = Some(1980);
        lead.household.properties = Some(4);
        lead.household.equity = Some(500_000);
        lead.who.contact_name = Some("Ann Lee".into());
        lead.who.email = Some("a@b.co".into());
        let scored = Profile::default().score(&lead, 2026);
        assert_eq!(scored.breakdown.iter().map(|p| u32::from(p.points)).sum::<u32>(), 105);
        assert_eq!((scored.score, scored.priority, scored.profile.as_str()), (100, Priority::High, "fit/1"));
    }

    #[test]
    fn a_profile_survives_a_json_round_trip() {
        let text = serde_json::to_string(&Profile::default()).unwrap();
        assert_eq!(serde_json::from_str::<Profile>(&text).unwrap(), Profile::default());
        let own = r#"{"name":"mine","version":2,"high":10,"medium":5,"factors":[{"name":"m","points":7,"on":"sic_prefix","prefixes":["17"]}]}"#;
        let scored = serde_json::from_str::<Profile>(own).unwrap().score(&lead(), 2026);
        assert_eq!((scored.score, scored.priority), (7, Priority::Medium));
    }
}
