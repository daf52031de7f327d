//! Ids as people type them: whole, or a beginning that only one has.

use serde_json::Value;

use super::{UsageError, client::Api};

/// A text that names nothing, or too much.
fn usage(message: String) -> anyhow::Error {
    UsageError(message).into()
}

/// The id of a run that begins with the text; `run_` may be left out.
///
/// # Errors
/// `UsageError` when the text cannot begin an id, or no run or several begin with it.
pub async fn run(api: &Api, text: &str) -> anyhow::Result<String> {
    let prefix = parsed("run", text)?;
    if prefix.len() == "run_".len() + ULID {
        return Ok(prefix);
    }
    let page = api.get(&format!("/api/pipelines?q={prefix}&limit=3")).await?;
    one(text, "run", found(&page["runs"], "runId", &prefix))
}

/// The id of an import.
pub async fn import(api: &Api, text: &str) -> anyhow::Result<String> {
    in_list(api, "import", text, "/api/imports", ("imports", "importId")).await
}

/// The id of an artifact of a run.
pub async fn artifact(api: &Api, run: &str, text: &str) -> anyhow::Result<String> {
    in_list(api, "art", text, &format!("/api/pipelines/{run}/artifacts"), ("artifacts", "artifactId")).await
}

/// The id of a block of a run.
pub async fn block(api: &Api, run: &str, text: &str) -> anyhow::Result<String> {
    in_list(api, "block", text, &format!("/api/pipelines/{run}/blocks"), ("blocks", "blockId")).await
}

/// A whole id as it is; the beginning of one is looked for in a list, whose items and ids have these names.
async fn in_list(api: &Api, kind: &str, text: &str, path: &str, names: (&str, &str)) -> anyhow::Result<String> {
    let prefix = parsed(kind, text)?;
    if prefix.len() == kind.len() + 1 + ULID {
        return Ok(prefix);
    }
    one(text, names.0.trim_end_matches('s'), listed(api, path, names, &prefix).await?)
}

/// Characters of a ULID.
const ULID: usize = 26;

/// The text with its prefix, in upper case after it.
fn parsed(kind: &str, text: &str) -> anyhow::Result<String> {
    let rest = text.strip_prefix(kind).and_then(|rest| rest.strip_prefix('_')).unwrap_or(text);
    let rest = rest.to_ascii_uppercase();
    let crockford = |c: char| c.is_ascii_digit() || (c.is_ascii_uppercase() && !"ILOU".contains(c));
    if rest.is_empty() || rest.len() > ULID || !rest.chars().all(crockford) {
        return Err(usage(format!(
            "`{text}` is not the id of a {kind}, or its beginning: expected {kind}_ and up to 26 of 0-9 A-Z without I, L, O, U"
        )));
    }
    Ok(format!("{kind}_{rest}"))
}

/// The ids of a list that begin with the prefix, two at most. Reads page by page.
async fn listed(api: &Api, path: &str, (key, field): (&str, &str), prefix: &str) -> anyhow::Result<Vec<String>> {
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{path}?limit=100{cursor}")).await?;
        ids.extend(found(&page[key], field, prefix));
        match page["nextCursor"].as_str() {
            Some(next) if ids.len() < 2 => {
                cursor =
                    format!("&cursor={}", url::form_urlencoded::byte_serialize(next.as_bytes()).collect::<String>());
            }
            _ => return Ok(ids),
        }
    }
}

fn found(items: &Value, field: &str, prefix: &str) -> Vec<String> {
    let ids = items.as_array().into_iter().flatten().filter_map(|item| item[field].as_str());
    ids.filter(|id| id.starts_with(prefix)).map(str::to_owned).collect()
}

fn one(text: &str, noun: &str, found: Vec<String>) -> anyhow::Result<String> {
    match &found[..] {
        [id] => Ok(id.clone()),
        [] => Err(usage(format!("no {noun} begins with `{text}`"))),
        [first, second, ..] => Err(usage(format!("several begin with `{text}`: {first}, {second}; type more of it"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_beginning_is_completed_with_its_prefix() {
        for text in ["run_01jd", "01JD", "run_01JD"] {
            assert_eq!(parsed("run", text).unwrap(), "run_01JD");
        }
        for bad in ["", "run_", "run_01JU", "block_01JD", "../x", "01JDZZZZZZZZZZZZZZZZZZZZZZZZZ"] {
            assert!(parsed("run", bad).unwrap_err().is::<UsageError>(), "{bad}");
        }
    }

    #[test]
    fn only_one_may_begin_so() {
        assert_eq!(one("01", "run", vec!["run_01A".to_owned()]).unwrap(), "run_01A");
        assert_eq!(one("01", "run", vec![]).unwrap_err().to_string(), "no run begins with `01`");
        assert!(
            one("01", "run", ["run_01A", "run_01B"].map(str::to_owned).to_vec())
                .unwrap_err()
                .to_string()
                .contains("run_01A, run_01B")
        );
    }
}
