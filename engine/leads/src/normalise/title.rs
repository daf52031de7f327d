//! The rank of a job title. Whole words only: `mvp` is not a vp, `ownership` not an owner.

use crate::{lead::seniority::Seniority, normalise::name};

/// `None` when the title has no rank.
pub fn seniority(title: &str) -> Option<Seniority> {
    let padded = format!(" {} ", name::key(title));
    let has = |words: &str| padded.contains(&format!(" {words} "));
    // `Assistant to the President` is not a president.
    if has("assistant to") || has("office of") {
        return None;
    }
    Seniority::ALL.iter().copied().find(|rank| rank.words().iter().any(|words| has(words)))
}

/// Reads a provider's seniority (`c_suite`, `vp`, `head` …).
pub fn from_provider(text: &str) -> Option<Seniority> {
    let text = text.trim().to_lowercase();
    Seniority::ALL.iter().copied().find(|rank| rank.as_str() == text).or_else(|| seniority(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        use Seniority::*;
        for (title, rank) in [
            ("Owner", Some(Owner)),
            ("Owner/President", Some(Owner)),
            ("Co-Founder & CTO", Some(Founder)),
            ("Chief Operating Officer", Some(CSuite)),
            ("C.E.O.", Some(CSuite)),
            ("Vice President, Sales", Some(Vp)),
            ("President", Some(President)),
            ("Managing Partner", Some(Partner)),
            ("Director of Operations", Some(Director)),
            ("Regional Sales Manager", Some(SalesManager)),
            ("Office Manager", Some(Manager)),
            ("MVP", None),
            ("Ownership Liaison", None),
            ("Assistant to the President", None),
            ("Electrician", None),
        ] {
            assert_eq!(seniority(title), rank, "{title}");
        }
        assert_eq!((Owner.weight(), Vp.weight(), Manager.decides(), SalesManager.decides()), (100, 75, false, true));
        assert_eq!((from_provider("c_suite"), from_provider("entry")), (Some(CSuite), None));
    }
}
