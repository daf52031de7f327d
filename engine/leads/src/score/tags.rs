//! Tags for filters and campaigns: the rules of the former scorer A, without points.

use crate::{Lead, Range, lead::seniority::Seniority, score::profile};

/// Two-digit SIC prefixes of the trades.
pub const BLUE_COLLAR: [&str; 14] =
    ["15", "16", "17", "07", "34", "35", "36", "37", "38", "39", "42", "49", "75", "76"];
const TECH: [&str; 10] = ["50", "51", "60", "61", "63", "64", "73", "80", "82", "87"];

/// The tags of a lead as of `year`.
pub fn of(lead: &Lead, year: i32) -> Vec<&'static str> {
    let firm = &lead.firm;
    let sic = firm.sic_code.as_deref().and_then(|sic| sic.get(..2)).unwrap_or_default();
    let employees = firm.employees.map(Range::midpoint);
    let revenue = firm.revenue.map(Range::midpoint);
    let years = profile::years(lead, year);
    let (blue, tech) = (BLUE_COLLAR.contains(&sic), TECH.contains(&sic));
    let employs = |from, to| employees.is_some_and(|n: u64| (from..=to).contains(&n));
    let earns = |from, to| revenue.is_some_and(|n: u64| (from..=to).contains(&n));
    let aged = |from, to| years.is_some_and(|n: u64| (from..=to).contains(&n));
    let properties = profile::properties(lead);

    let mut tags = Vec::new();
    let mut tag = |holds: bool, name| {
        if holds {
            tags.push(name);
        }
    };
    tag(blue, "blue-collar");
    tag(blue && employs(5, 50), "acquisition-target");
    tag(blue && earns(500_000, 10_000_000), "sweet-spot-revenue");
    tag(tech, "tech-integration");
    tag(tech && employs(20, u64::MAX), "scale-ready");
    tag(aged(5, 15), "exit-prep-timing");
    tag(aged(10, u64::MAX), "established");
    tag(aged(20, u64::MAX), "mature-ownership");
    tag(aged(20, u64::MAX), "potential-exit");
    tag(aged(30, u64::MAX), "succession-planning");
    tag(employs(10, 100) && earns(1_000_000, u64::MAX), "expansion-candidate");
    tag(profile::owner_identified(lead), "owner-identified");
    tag(lead.who.seniority.is_some_and(Seniority::decides), "decision-maker");
    tag(properties >= 1, "property-owner");
    tag(properties >= 3, "multi-property-owner");
    tag(lead.household.equity.is_some_and(|dollars| dollars > 100_000), "high-equity-property-owner");
    tags.extend(revenue.map(revenue_tier));
    tags.extend(employees.map(size));
    tags
}

fn revenue_tier(dollars: u64) -> &'static str {
    match dollars {
        0..500_000 => "under-500k",
        500_000..1_000_000 => "500k-1m",
        1_000_000..5_000_000 => "1m-5m",
        5_000_000..10_000_000 => "5m-10m",
        _ => "10m-plus",
    }
}

fn size(employees: u64) -> &'static str {
    match employees {
        0..=10 => "micro",
        11..=50 => "small",
        51..=200 => "mid-market",
        _ => "enterprise",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lead_id;

    #[test]
    fn tags_of_a_plumber_founded_in_1980() {
        let mut lead = Lead::bare(lead_id("import_x", 1), 1, 2);
        lead.firm.sic_code = Some("1711".into());
        lead.firm.employees = Some(Range::exactly(20));
        lead.firm.revenue = Some(Range::exactly(2_000_000));
        lead.firm.year_established = Some(1980);
        lead.who.contact_name = Some("Ann".into());
        let expected = [
            "blue-collar",
            "acquisition-target",
            "sweet-spot-revenue",
            "established",
            "mature-ownership",
            "potential-exit",
            "succession-planning",
            "expansion-candidate",
            "owner-identified",
            "1m-5m",
            "small",
        ];
        assert_eq!(of(&lead, 2026), expected);
        lead.firm.sic_code = Some("7372".into());
        assert!(of(&lead, 2026).starts_with(&["tech-integration", "scale-ready"]));
        assert_eq!(of(&Lead::bare(lead_id("import_x", 1), 1, 2), 2026), [""; 0]);
    }
}
