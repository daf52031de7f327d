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
    let prefix = parsed(RUN, text)?;
    if prefix.len() == "run_".len() + ULID {
        return Ok(prefix);
    }
    let page = api.get(&format!("/api/pipelines?q={prefix}&limit=3")).await?;
    one(text, "run", found(&page["runs"], "runId", &prefix))
}

/// What ids are of, and the list of the API in which the beginning of one is looked for.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    noun: &'static str,
    prefix: &'static str,
    path: &'static str,
    /// Names of the list's items, and of the id in one.
    names: (&'static str, &'static str),
    /// Whether the list has pages.
    paged: bool,
}

pub const RUN: Kind = kind("run", "run", "/api/pipelines", ("runs", "runId"), true);
pub const IMPORT: Kind = kind("import", "import", "/api/imports", ("imports", "importId"), true);
pub const LEAD: Kind = kind("lead", "lead", "/api/leads", ("leads", "leadId"), true);
pub const MESSAGE: Kind = kind("message", "msg", "/api/messages", ("messages", "messageId"), true);
pub const WEBHOOK: Kind = kind("unread delivery", "wh", "/api/unread-webhooks", ("unread", "webhookId"), true);
pub const TEMPLATE: Kind = kind("template", "tpl", "/api/templates", ("templates", "templateId"), false);
pub const BLUEPRINT: Kind = kind("blueprint", "bp", "/api/blueprints", ("blueprints", "blueprintId"), false);
pub const AUTOMATION: Kind = kind("automation", "auto", "/api/automations", ("automations", "automationId"), false);
pub const KEY: Kind = kind("key", "key", "/api/keys", ("keys", "keyId"), false);
pub const ARTIFACT: Kind = kind("artifact", "art", "artifacts", ("artifacts", "artifactId"), true);
pub const BLOCK: Kind = kind("block", "block", "blocks", ("blocks", "blockId"), true);

const fn kind(
    noun: &'static str,
    prefix: &'static str,
    path: &'static str,
    names: (&'static str, &'static str),
    paged: bool,
) -> Kind {
    Kind { noun, prefix, path, names, paged }
}

/// The id that begins with the text; the prefix of its kind may be left out.
///
/// # Errors
/// `UsageError` when the text cannot begin an id of this kind, or none or several begin with it.
pub async fn of(api: &Api, kind: Kind, text: &str) -> anyhow::Result<String> {
    in_list(api, kind, kind.path, text).await
}

/// The id of an artifact or a block of a run.
pub async fn of_run(api: &Api, run: &str, kind: Kind, text: &str) -> anyhow::Result<String> {
    in_list(api, kind, &format!("/api/pipelines/{run}/{}", kind.path), text).await
}

/// A whole id as it is; the beginning of one is looked for in a list.
async fn in_list(api: &Api, kind: Kind, path: &str, text: &str) -> anyhow::Result<String> {
    let prefix = parsed(kind, text)?;
    if prefix.len() == kind.prefix.len() + 1 + ULID {
        return Ok(prefix);
    }
    one(text, kind.noun, listed(api, path, kind, &prefix).await?)
}

/// Characters of a ULID.
const ULID: usize = 26;
/// Pages of 100 that are searched for the beginning of an id. They begin with the newest, as lists show them.
const PAGES: usize = 50;

/// The text with its prefix, in upper case after it.
fn parsed(kind: Kind, text: &str) -> anyhow::Result<String> {
    let Kind { noun, prefix, .. } = kind;
    let rest = text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).unwrap_or(text);
    let rest = rest.to_ascii_uppercase();
    let crockford = |c: char| c.is_ascii_digit() || (c.is_ascii_uppercase() && !"ILOU".contains(c));
    // The first of a whole id has three bits.
    let too_large = rest.len() == ULID && rest.starts_with(|first: char| first > '7');
    if rest.is_empty() || rest.len() > ULID || too_large || !rest.chars().all(crockford) {
        let article = if noun.starts_with(['a', 'i', 'u']) { "an" } else { "a" };
        return Err(usage(format!(
            "`{text}` is not the id of {article} {noun}, or its beginning: expected {prefix}_ and up to 26 of 0-9 A-Z without I, L, O, U"
        )));
    }
    Ok(format!("{prefix}_{rest}"))
}

/// The ids of a list that begin with the prefix; of a list with pages, at least two if there are. Reads page by page.
async fn listed(api: &Api, path: &str, kind: Kind, prefix: &str) -> anyhow::Result<Vec<String>> {
    let Kind { noun, names: (key, field), .. } = kind;
    if !kind.paged {
        return Ok(found(&api.get(path).await?[key], field, prefix));
    }
    let (mut ids, mut cursor) = (Vec::new(), String::new());
    for _ in 0..PAGES {
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
    if ids.is_empty() {
        let newest = PAGES * 100;
        return Err(usage(format!(
            "none of the newest {newest} begins with `{prefix}`; type the whole id of the {noun}"
        )));
    }
    Ok(ids)
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
            assert_eq!(parsed(RUN, text).unwrap(), "run_01JD");
        }
        let too_large = "run_80000000000000000000000000";
        for bad in ["", "run_", "run_01JU", "block_01JD", "../x", "01JDZZZZZZZZZZZZZZZZZZZZZZZZZ", too_large] {
            assert!(parsed(RUN, bad).unwrap_err().is::<UsageError>(), "{bad}");
        }
    }

    #[test]
    fn a_text_that_is_no_id_says_of_what() {
        let said = |kind| parsed(kind, "x!").unwrap_err().to_string();
        assert!(said(IMPORT).starts_with("`x!` is not the id of an import, or"), "{}", said(IMPORT));
        assert!(said(TEMPLATE).contains("of a template, or its beginning: expected tpl_ and"), "{}", said(TEMPLATE));
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
