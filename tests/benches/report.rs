//! The report: a list of figures, each with its raw operation where there is one, as Markdown and as JSON.

use std::{fmt::Write, fs, io, path::Path};

use serde::Serialize;

/// Whether a higher or a lower value is better.
#[derive(Debug, Clone, Copy)]
pub enum Better {
    More,
    Less,
}

/// What `floor` and `goal` refer to: the value itself, or its ratio to the raw operation of the same run.
#[derive(Debug, Clone, Copy)]
pub enum Bound {
    Value(Better, f64, f64),
    Ratio(Better, f64, f64),
    /// A raw operation, or a figure given for the reader alone.
    None,
}

/// One line of the report. `steal` is the percentage of CPU time that the host took away while it was measured.
#[derive(Debug, Serialize)]
pub struct Figure {
    pub figure: String,
    pub value: f64,
    pub unit: &'static str,
    pub raw: Option<f64>,
    /// The median of the rounds' own ratios: the machine's speed changes between rounds, and both share it within one.
    pub ratio: Option<f64>,
    pub floor: Option<f64>,
    pub goal: Option<f64>,
    /// `goal`, `floor` or `no`; absent without a requirement.
    pub met: Option<&'static str>,
    pub steal: f64,
    /// Runs taken; the value is their median.
    pub runs: usize,
    pub note: String,
}

#[derive(Default)]
pub struct Report {
    figures: Vec<Figure>,
}

impl Report {
    /// Adds a figure, prints it, and returns its value. `raw` was measured in the same rounds.
    pub fn add(&mut self, name: &str, unit: &'static str, sample: &Sample, raw: Option<&Sample>, bound: Bound) -> f64 {
        let ratio = raw.map(|raw| sample.beside(raw));
        let (floor, goal, met) = match bound {
            Bound::None => (None, None, None),
            Bound::Value(better, floor, goal) => {
                (Some(floor), Some(goal), Some(met(better, sample.value, floor, goal)))
            }
            Bound::Ratio(better, floor, goal) => {
                (Some(floor), Some(goal), ratio.map(|ratio| met(better, ratio, floor, goal)))
            }
        };
        let figure = Figure {
            figure: name.to_owned(),
            value: round(sample.value),
            unit,
            raw: raw.map(|raw| round(raw.value)),
            ratio: ratio.map(round),
            floor,
            goal,
            met,
            steal: round(sample.steal),
            runs: sample.rounds.len(),
            note: sample.note.clone(),
        };
        println!("{}", line(&figure));
        self.figures.push(figure);
        sample.value
    }

    /// Writes `report.json` and `report.md` into `folder`.
    pub fn write(&self, folder: &Path, conditions: &str) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("report.json"), serde_json::to_string_pretty(&self.figures)?)?;
        let mut text = format!("# Benchmarks\n\n{conditions}\n\n{HEADER}\n");
        for figure in &self.figures {
            let _ = writeln!(text, "{}", line(figure));
        }
        fs::write(folder.join("report.md"), text)
    }

    pub fn missed(&self) -> usize {
        self.figures.iter().filter(|figure| figure.met == Some("no")).count()
    }
}

/// A measurement: the median of the rounds without CPU steal, and the highest steal in one of them.
#[derive(Debug, Clone)]
pub struct Sample {
    pub value: f64,
    /// Each round's value, in their order.
    pub rounds: Vec<f64>,
    pub steal: f64,
    pub note: String,
}

impl Sample {
    fn beside(&self, raw: &Self) -> f64 {
        median(self.rounds.iter().zip(&raw.rounds).map(|(ours, raw)| ours / raw).collect())
    }
}

pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

pub const HEADER: &str = "| figure | value | unit | raw | ratio | floor | goal | met | steal % | n | note |\n|---|---|---|---|---|---|---|---|---|---|---|";

fn met(better: Better, value: f64, floor: f64, goal: f64) -> &'static str {
    let reaches = |target: f64| match better {
        Better::More => value >= target,
        Better::Less => value <= target,
    };
    if reaches(goal) {
        "goal"
    } else if reaches(floor) {
        "floor"
    } else {
        "no"
    }
}

fn line(f: &Figure) -> String {
    let maybe = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        f.figure,
        f.value,
        f.unit,
        maybe(f.raw),
        maybe(f.ratio),
        maybe(f.floor),
        maybe(f.goal),
        f.met.unwrap_or_default(),
        f.steal,
        f.runs,
        f.note
    )
}

/// Three significant digits below 100, whole numbers above.
fn round(value: f64) -> f64 {
    let scale = if value.abs() >= 100.0 {
        1.0
    } else if value.abs() >= 10.0 {
        10.0
    } else {
        1000.0
    };
    (value * scale).round() / scale
}
