//! Files that a command reads: JSON of a file, or of standard input for `-`.

use std::path::Path;

use anyhow::Context;
use serde_json::Value;
use tokio::io::AsyncReadExt;

/// What editors of some systems write before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// # Errors
/// When it cannot be read, or is not JSON; the error names the file.
pub async fn json(file: &Path) -> anyhow::Result<Value> {
    if file.as_os_str() != "-" {
        let text = tokio::fs::read(file).await.with_context(|| format!("cannot read {}", file.display()))?;
        return parsed(&text, &file.display().to_string());
    }
    let mut text = Vec::new();
    tokio::io::stdin().read_to_end(&mut text).await.context("cannot read standard input")?;
    parsed(&text, "standard input")
}

fn parsed(text: &[u8], name: &str) -> anyhow::Result<Value> {
    let text = text.strip_prefix(BYTE_ORDER_MARK).unwrap_or(text);
    anyhow::ensure!(!text.trim_ascii().is_empty(), "{name} is empty: expected JSON");
    serde_json::from_slice(text).with_context(|| format!("{name} is not JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_may_begin_with_a_byte_order_mark_and_errors_name_the_file() {
        assert_eq!(parsed(b"\xef\xbb\xbf[1]\r\n", "a.json").expect("JSON"), serde_json::json!([1]));
        let error = parsed(b"Company,Phone", "a.json").expect_err("CSV");
        assert!(format!("{error:#}").starts_with("a.json is not JSON: expected value at line 1"), "{error:#}");
        assert_eq!(
            parsed(b" \n", "standard input").expect_err("empty").to_string(),
            "standard input is empty: expected JSON"
        );
    }
}
