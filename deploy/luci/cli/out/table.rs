//! Rows in aligned columns, and as CSV.

use console::{Style, Term, measure_text_width, pad_str, truncate_str};
use serde_json::Value;

use super::escaped;

/// A column of a list.
#[derive(Debug, Clone, Copy)]
pub struct Column {
    title: &'static str,
    field: &'static str,
    kind: Kind,
}

/// How a value is shown to people; CSV has it as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
    /// Micro-dollars.
    Money,
    /// Milliseconds.
    Duration,
    /// A time, to the second.
    Time,
    /// How long ago.
    Age,
    /// A word of state, with its colour.
    Status,
    Percent,
    Bytes,
}

macro_rules! kinds {
    ($($name:ident = $kind:ident),*) => {
        $(pub const fn $name(title: &'static str, field: &'static str) -> Self {
            Self { title, field, kind: Kind::$kind }
        })*
    };
}

impl Column {
    // `field` is a name, or names joined by points.
    kinds!(
        text = Text,
        number = Number,
        money = Money,
        duration = Duration,
        time = Time,
        age = Age,
        status = Status,
        percent = Percent,
        bytes = Bytes
    );

    fn value<'a>(&self, item: &'a Value) -> &'a Value {
        self.field.split('.').fold(item, |value, name| &value[name])
    }

    /// `startedAt`, `cost_micros`: the name of the field, which also says the unit.
    pub fn csv_title(&self) -> String {
        self.field.replace('.', "_")
    }

    pub fn exact(&self, item: &Value) -> String {
        plain(self.value(item))
    }

    fn shown(&self, item: &Value) -> String {
        let value = self.value(item);
        let number = value.as_f64().unwrap_or_default();
        match (self.kind, value) {
            (_, Value::Null) => "-".to_owned(),
            (Kind::Money, _) => format!("${:.2}", number / 1e6),
            (Kind::Duration, _) => duration(number / 1e3),
            (Kind::Percent, _) => format!("{number}%"),
            (Kind::Bytes, _) => indicatif::BinaryBytes(value.as_u64().unwrap_or_default()).to_string(),
            (Kind::Time, Value::String(at)) => at.chars().take(19).chain(['Z']).collect(),
            (Kind::Age, Value::String(at)) => age(at).unwrap_or_else(|| at.clone()),
            (Kind::Text | Kind::Number | Kind::Status | Kind::Time | Kind::Age, _) => one_line(&plain(value)),
        }
    }

    const fn right(&self) -> bool {
        matches!(self.kind, Kind::Number | Kind::Money | Kind::Duration | Kind::Percent | Kind::Bytes | Kind::Age)
    }
}

/// A value without quotes; lists with spaces, nothing for null.
pub fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}

fn one_line(text: &str) -> String {
    let text = escaped(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    if text.is_empty() { "-".to_owned() } else { text }
}

/// `0.4 s`, `12 s`, `3 min 5 s`, `2 h 4 min`, `3 d 2 h`
pub fn duration(seconds: f64) -> String {
    let whole = seconds.round().max(0.0) as u64;
    match whole {
        0..10 => format!("{seconds:.1} s"),
        10..60 => format!("{whole} s"),
        60..3_600 => format!("{} min {} s", whole / 60, whole % 60),
        3_600..86_400 => format!("{} h {} min", whole / 3_600, whole / 60 % 60),
        _ => format!("{} d {} h", whole / 86_400, whole / 3_600 % 24),
    }
}

/// `35s`, `4m`, `5h`, `12d`, as kubectl has it.
fn age(at: &str) -> Option<String> {
    let at = time::OffsetDateTime::parse(at, &time::format_description::well_known::Rfc3339).ok()?;
    let seconds = ((luci_schema::Micros::now().0 - luci_schema::Micros::from(at).0) / 1_000_000).max(0);
    Some(match seconds {
        0..120 => format!("{seconds}s"),
        120..7_200 => format!("{}m", seconds / 60),
        7_200..172_800 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    })
}

/// The colour of a state. `console` leaves it out where standard output is no terminal, or `NO_COLOR` is set.
fn coloured(status: &str) -> String {
    let style = match status.trim() {
        "completed" | "sent" | "active" | "ok" => Style::new().green(),
        "running" | "processing" => Style::new().cyan(),
        "paused" | "queued" | "draft" | "pending" => Style::new().yellow(),
        "failed" | "rejected" | "broken" => Style::new().red(),
        _ => Style::new(),
    };
    style.apply_to(status).to_string()
}

/// To this width a text is shortened where a terminal is narrow.
const LEAST: usize = 8;

/// Widths that fit into a line: the widest texts are shortened first, and never the first column, which names the row.
fn fitted(columns: &[Column], mut widths: Vec<usize>, limit: usize) -> Vec<usize> {
    let gaps = 2 * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > limit {
        let texts = (1..widths.len()).filter(|at| columns[*at].kind == Kind::Text && widths[*at] > LEAST);
        let Some(widest) = texts.max_by_key(|at| widths[*at]) else { break };
        widths[widest] -= 1;
    }
    widths
}

/// A header and a line for each item. On a terminal, texts and lines are cut to its width.
pub fn text(columns: &[Column], items: &[Value]) -> String {
    let terminal = Term::stdout();
    within(columns, items, terminal.is_term().then(|| usize::from(terminal.size().1)))
}

fn within(columns: &[Column], items: &[Value], limit: Option<usize>) -> String {
    let rows: Vec<Vec<String>> = items.iter().map(|item| columns.iter().map(|one| one.shown(item)).collect()).collect();
    let title = |column: &Column| column.title.to_owned();
    let width = |at: usize| {
        let cells = rows.iter().map(|row| measure_text_width(&row[at]));
        cells.chain([measure_text_width(columns[at].title)]).max().unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let widths = limit.map_or_else(|| widths.clone(), |limit| fitted(columns, widths.clone(), limit));
    let header = columns.iter().map(title).collect();
    let lines = std::iter::once((header, false)).chain(rows.into_iter().map(|row| (row, true)));
    let lines = lines.map(|(cells, colour): (Vec<String>, bool)| {
        let cells = cells.iter().enumerate().map(|(at, cell)| {
            let side = if columns[at].right() { console::Alignment::Right } else { console::Alignment::Left };
            let cell = pad_str(cell, widths[at], side, Some("…"));
            if colour && columns[at].kind == Kind::Status { coloured(&cell) } else { cell.into_owned() }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        let line = line.trim_end();
        limit.map_or_else(|| line.to_owned(), |limit| truncate_str(line, limit, "…").into_owned())
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Prints a header and rows.
pub fn csv(titles: &[&str], rows: impl Iterator<Item = Vec<String>>) -> anyhow::Result<()> {
    records(std::iter::once(titles.iter().map(|title| (*title).to_owned()).collect()).chain(rows))
}

/// Prints a row for each item.
pub fn csv_rows(columns: &[Column], items: &[Value]) -> anyhow::Result<()> {
    records(items.iter().map(|item| columns.iter().map(|one| one.exact(item)).collect()))
}

fn records(rows: impl Iterator<Item = Vec<String>>) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.write_record(row.iter().map(|cell| luci_leads::read::formula_guard::guarded(cell)))?;
    }
    super::write(&writer.into_inner().map_err(|error| anyhow::anyhow!("{error}"))?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_by_what_is_seen() {
        let columns = [Column::text("NAME", "name"), Column::money("COST", "cost"), Column::text("NOTE", "a.note")];
        let items = [
            json!({"name": "Zoë", "cost": 1_500_000, "a": {"note": "x\ny"}}),
            json!({"name": "日本", "cost": 20_000_000, "a": null}),
        ];
        assert_eq!(text(&columns, &items), "NAME    COST  NOTE\nZoë    $1.50  x y\n日本  $20.00  -");
        assert_eq!(columns[1].exact(&items[0]), "1500000");
    }

    #[test]
    fn a_narrow_terminal_shortens_texts_and_keeps_every_column() {
        let columns = [Column::text("ID", "id"), Column::text("NOTE", "note"), Column::number("COUNT", "count")];
        let items = [json!({"id": "run_01JD", "note": "a note of many words", "count": 7})];
        assert_eq!(
            within(&columns, &items, Some(30)),
            "ID        NOTE           COUNT\nrun_01JD  a note of ma…      7"
        );
        let narrow = within(&columns, &items, Some(20));
        assert!(
            narrow.lines().all(|line| measure_text_width(line) <= 20) && narrow.contains("run_01JD  a note …"),
            "{narrow}"
        );
    }

    #[test]
    fn durations_have_two_units_at_most() {
        let all = [0.42, 12.3, 185.0, 7_500.0, 266_400.0].map(duration);
        assert_eq!(all, ["0.4 s", "12 s", "3 min 5 s", "2 h 5 min", "3 d 2 h"]);
    }
}
