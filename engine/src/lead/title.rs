//! A job title's rank: whole words only, so that `mvp` is no vp and `ownership` no owner.

use serde::{Deserialize, Serialize};

macro_rules! ranks {
    ($($name:ident = $text:literal, $weight:literal, $decides:literal: [$($words:literal),*];)*) => {
        /// Rank by title, the highest first (domain table D).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum Seniority { $($name),* }

        impl Seniority {
            pub const ALL: &[Self] = &[$(Self::$name),*];
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
            /// 0..=100
            pub const fn weight(self) -> u8 {
                match self { $(Self::$name => $weight),* }
            }
            /// Whether such a person can buy or sell.
            pub const fn decides(self) -> bool {
                match self { $(Self::$name => $decides),* }
            }
            /// Words or phrases of titles.
            const fn words(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($words),*]),* }
            }
        }
    };
}

ranks! {
    Owner = "owner", 100, true: ["owner", "co owner", "proprietor", "principal"];
    Founder = "founder", 95, true: ["founder", "co founder", "cofounder"];
    CSuite = "c_suite", 90, true: ["ceo", "cfo", "coo", "cto", "cio", "cmo", "chief"];
    Vp = "vp", 75, true: ["vp", "svp", "evp", "avp", "vice president"];
    President = "president", 85, true: ["president"];
    Partner = "partner", 80, true: ["partner", "managing partner"];
    Director = "director", 70, false: ["director"];
    SalesManager = "sales_manager", 65, true: ["sales manager"];
    Manager = "manager", 50, false: ["manager", "supervisor"];
}

/// None when the title has no rank.
pub fn seniority(title: &str) -> Option<Seniority> {
    let padded = format!(" {} ", super::name::key(title));
    let has = |words: &str| padded.contains(&format!(" {words} "));
    // An assistant to somebody has none of somebody's rank.
    if has("assistant to") || has("office of") {
        return None;
    }
    Seniority::ALL.iter().copied().find(|rank| rank.words().iter().any(|words| has(words)))
}

/// Reads a provider's word (`c_suite`, `vp`, `head` …).
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
