//! The paths that a file names: of its `use` trees, and those written out in its code.

/// A path as written, in segments: `["crate", "log", "Append"]`, `["super", "state"]`.
pub type Path = Vec<String>;

/// What a file refers to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Paths {
    /// Imported paths, each with the name it has in the file; `*` for a glob.
    pub imports: Vec<(String, Path)>,
    /// Paths of two segments or more outside of `use`.
    pub written: Vec<Path>,
}

/// Reads code whose comments and literals are blanked.
pub fn paths(code: &str) -> Paths {
    let tokens = tokens(code);
    let mut paths = Paths::default();
    let mut at = 0;
    while at < tokens.len() {
        if tokens[at] == "use" && tokens.get(at + 1) != Some(&"<") {
            at += 1;
            use_tree(&tokens, &mut at, &[], &mut paths.imports);
        } else if is_name(tokens[at]) && (at == 0 || tokens[at - 1] != "::") {
            let path = path(&tokens, &mut at);
            if path.len() > 1 {
                paths.written.push(path);
            }
        } else {
            at += 1;
        }
    }
    paths
}

/// Names, `::`, and every other character by itself.
fn tokens(code: &str) -> Vec<&str> {
    let mut tokens = Vec::new();
    let mut rest = code.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = if is_name_part(first) {
            rest.find(|c| !is_name_part(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(&rest[..length]);
        rest = rest[length..].trim_start();
    }
    tokens
}

fn is_name_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// `a::b::c`; `at` stands behind it afterwards.
fn path(tokens: &[&str], at: &mut usize) -> Path {
    let mut path = vec![tokens[*at].to_owned()];
    *at += 1;
    while tokens.get(*at) == Some(&"::") && tokens.get(*at + 1).is_some_and(|token| is_name(token)) {
        path.push(tokens[*at + 1].to_owned());
        *at += 2;
    }
    path
}

/// One tree of a `use`, up to its `,`, `}` or `;`.
fn use_tree(tokens: &[&str], at: &mut usize, prefix: &[String], imports: &mut Vec<(String, Path)>) {
    let mut whole = prefix.to_vec();
    while let Some(token) = tokens.get(*at) {
        *at += 1;
        match *token {
            "::" => {}
            "{" => {
                while tokens.get(*at).is_some_and(|token| *token != "}") {
                    use_tree(tokens, at, &whole, imports);
                    *at += usize::from(tokens.get(*at) == Some(&","));
                }
                *at += 1;
                return;
            }
            "*" => return imports.push(("*".to_owned(), whole)),
            // `a::{self}` is `a`.
            "self" if !whole.is_empty() => {}
            name => whole.push(name.to_owned()),
        }
        if matches!(tokens.get(*at), None | Some(&("," | "}" | ";" | "as"))) {
            break;
        }
    }
    let mut name = whole.last().cloned().unwrap_or_default();
    if tokens.get(*at) == Some(&"as") {
        name = tokens.get(*at + 1).map_or(name, |name| (*name).to_owned());
        *at += 2;
    }
    imports.push((name, whole));
}

#[test]
fn use_trees_and_written_paths_are_read() {
    let found = paths(
        "pub use crate::{a::{self, B, c::D as E}, f::*}; use super::g;
         fn h() -> impl I + use<'_> { crate::j::k::<u8>(g::l()); self.m(Vec::new()) }",
    );
    let imports: Vec<String> = found.imports.iter().map(|(name, path)| format!("{name}={}", path.join("::"))).collect();
    assert_eq!(imports, ["a=crate::a", "B=crate::a::B", "E=crate::a::c::D", "*=crate::f", "g=super::g"]);
    let written: Vec<String> = found.written.iter().map(|path| path.join("::")).collect();
    assert_eq!(written, ["crate::j::k", "g::l", "Vec::new"]);
}
