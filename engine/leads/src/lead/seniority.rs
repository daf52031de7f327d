//! The rank of a person in a company, with its weight and the words of titles that mean it.

use serde::{Deserialize, Serialize};

macro_rules! ranks {
    ($($name:ident = $text:literal, $weight:literal, $decides:literal: [$($words:literal),*];)*) => {
        /// Rank by job title, the highest first (domain table D).
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
            /// Whether such a person can decide to buy or sell.
            pub const fn decides(self) -> bool {
                match self { $(Self::$name => $decides),* }
            }
            /// Words and phrases of titles with this rank.
            pub(crate) const fn words(self) -> &'static [&'static str] {
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
