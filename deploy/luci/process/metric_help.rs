//! What each metric counts, for the `# HELP` lines: the table of the runbook, so that both say the same.

const RUNBOOK: &str = include_str!("../../docs/runbook.md");

/// Describes every metric to the recorder that is installed.
pub fn describe_metrics() {
    for (name, help) in rows() {
        // The exporter keeps one text for a name, whatever its kind.
        metrics::describe_counter!(name, help);
    }
}

/// Names and texts: of `| name | labels | counts or measures |`, the first and the last cell.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    RUNBOOK.lines().filter_map(|line| {
        let (name, cells) = line.strip_prefix("| `")?.split_once("` |")?;
        let (_, help) = cells.trim_end().strip_suffix('|')?.rsplit_once('|')?;
        name.starts_with("luci_").then(|| (name, help.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::rows;

    #[test]
    fn the_runbook_has_a_text_for_each_metric() {
        let rows: Vec<_> = rows().collect();
        assert!(rows.len() > 50, "{}", rows.len());
        assert!(rows.contains(&("luci_log_head", "position of the newest event")), "{rows:?}");
        assert!(rows.iter().all(|(_, help)| !help.is_empty()));
    }
}
