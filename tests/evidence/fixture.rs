//! Fixture: a sealed log with runs and configuration, bundles of it, and random choices that are the same each time.

use std::path::Path;

use luci_schema::{
    Position,
    history::{BundleReader, Scope},
    log::{Log, last_seal},
};

use crate::{audit::Fixture, support::eventually};

/// Chooses numbers; the same ones for the same seed.
pub struct Chooser(pub u64);

impl Chooser {
    /// Below `count`, which is not 0.
    pub fn below(&mut self, count: usize) -> usize {
        // SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", 2014).
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % count as u64).expect("below a usize")
    }

    pub fn of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}

/// A system with two runs, another tenant, and its log sealed to the head.
pub async fn sealed_system(dir: &Path) -> Fixture {
    let fixture = Fixture::new(dir).await;
    fixture.import(dir, 25).await;
    fixture.system.other_tenant("other").await;
    seal(&fixture).await;
    fixture
}

/// Waits until the log is sealed to its head.
pub async fn seal(fixture: &Fixture) {
    let log = &fixture.system.running.log;
    eventually("the log is sealed to its head", async || {
        let head = log.newest().await.expect("the head");
        sealed_to(log).await == head
    })
    .await;
}

pub async fn sealed_to(log: &Log) -> Position {
    let mut c = log.pool().acquire().await.expect("a connection");
    last_seal(&mut c).await.expect("answered").map_or(Position(0), |seal| seal.to_position)
}

pub async fn bundle(log: &Log, scope: Scope) -> String {
    let mut reader = BundleReader::open(log.clone(), scope).await.expect("a bundle");
    let mut text = String::new();
    while let Some(lines) = reader.next().await.expect("lines") {
        text.push_str(&lines);
    }
    text
}
