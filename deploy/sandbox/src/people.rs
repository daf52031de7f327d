//! Made-up people: whether one is found, and with which data, follows from a hash of the request's fields.

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Found per thousand people that are looked up.
const FOUND: u64 = 834;
/// With a phone per thousand found people.
const WITH_PHONE: u64 = 920;
const AREA_CODES: [u16; 20] =
    [212, 315, 332, 347, 516, 518, 585, 607, 631, 646, 716, 718, 845, 914, 917, 929, 305, 404, 512, 602];
const FIRST_NAMES: [&str; 8] = ["Ana", "Luis", "Mary", "James", "Wei", "Fatima", "John", "Olga"];

pub fn hash(text: &str) -> u64 {
    number(Sha256::new_with_prefix(text))
}

fn number(hash: Sha256) -> u64 {
    hash.finalize()[..8].iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte))
}

/// One made-up person.
pub struct Person {
    seed: Sha256,
}

impl Person {
    /// `provider` and `person` (see `person_key`) decide everything.
    pub fn new(provider: &str, person: &str) -> Self {
        Self { seed: Sha256::new().chain_update(provider).chain_update(":").chain_update(person).chain_update("#") }
    }

    /// An independent number below `below` for each `aspect`.
    pub fn draw(&self, aspect: &str, below: u64) -> u64 {
        number(self.seed.clone().chain_update(aspect)) % below
    }

    pub fn pick<'a>(&self, aspect: &str, of: &[&'a str]) -> &'a str {
        of[self.draw(aspect, of.len() as u64) as usize]
    }

    pub fn found(&self) -> bool {
        self.draw("found", 1000) < FOUND
    }

    pub fn has_phone(&self) -> bool {
        self.draw("phone", 1000) < WITH_PHONE
    }

    /// Ten digits with exchange 555, which no subscriber has.
    pub fn number(&self, nth: u64) -> String {
        let area = AREA_CODES[self.draw(&format!("area{nth}"), AREA_CODES.len() as u64) as usize];
        format!("{area}555{:04}", self.draw(&format!("line{nth}"), 10_000))
    }

    pub fn first_name(&self) -> &'static str {
        self.pick("first", &FIRST_NAMES)
    }

    /// A mailbox in the reserved top-level domain.
    pub fn email(&self) -> String {
        format!("person{}@found.example", self.draw("email", 100_000_000))
    }
}

/// The values of these fields in lower case, joined: the key of a person in the ledger.
pub fn person_key(request: &Value, fields: &[&str]) -> String {
    let value = |field: &&str| request.get(*field).and_then(Value::as_str).unwrap_or_default().trim().to_lowercase();
    fields.iter().map(value).collect::<Vec<_>>().join("|")
}
