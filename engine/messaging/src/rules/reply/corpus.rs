//! The corpus `data/replies.tsv`: every line has its class; the test prints precision and recall of each class.

use std::collections::BTreeMap;

use super::{Reply, classify};

const CORPUS: &str = include_str!("../../../data/replies.tsv");

struct Line {
    text: String,
    class: &'static str,
    reason: &'static str,
}

fn lines() -> Vec<Line> {
    let lines = CORPUS.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let read = |line: &'static str| {
        let mut cells = line.split('\t');
        let text = cells.next().expect("a text").replace("\\n", "\n");
        Line { text, class: cells.next().expect("a class"), reason: cells.next().expect("a reason") }
    };
    lines.map(read).collect()
}

#[derive(Default)]
struct Count {
    expected: u32,
    found: u32,
    right: u32,
}

impl Count {
    fn precision(&self) -> f64 {
        f64::from(self.right) / f64::from(self.found.max(1))
    }

    fn recall(&self) -> f64 {
        f64::from(self.right) / f64::from(self.expected.max(1))
    }
}

/// Precision and recall by class, as a table.
fn report(counts: &BTreeMap<String, Count>) -> String {
    let row = |(class, count): (&String, &Count)| {
        format!("{class:20} {:5} {:9.3} {:6.3}\n", count.expected, count.precision(), count.recall())
    };
    format!("{:20} {:>5} {:>9} {:>6}\n", "class", "lines", "precision", "recall")
        + &counts.iter().map(row).collect::<String>()
}

#[test]
#[allow(clippy::print_stdout, reason = "the table is the result")]
fn the_corpus_has_its_classes() {
    let lines = lines();
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut wrong = Vec::new();
    for line in &lines {
        let Reply { class, kind, rule } = classify(&line.text, None);
        counts.entry(line.class.into()).or_default().expected += 1;
        let found = counts.entry(class.as_str().into()).or_default();
        found.found += 1;
        found.right += u32::from(class.as_str() == line.class);
        if (class.as_str(), kind.as_str()) != (line.class, line.reason) {
            wrong.push(format!("{:?}: {} {}, not {} ({rule})", line.text, line.class, line.reason, class.as_str()));
        }
    }
    println!("{}", report(&counts));
    assert!(lines.len() >= 300, "{} lines", lines.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), lines.len(), wrong.join("\n"));
}
