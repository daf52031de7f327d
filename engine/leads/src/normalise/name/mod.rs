//! Names of people: first and last name of a full name, and the name of a greeting, which is left out when in doubt.

mod key;
mod words;

use human_name::Name;

pub use self::key::{company_key, key};
use crate::normalise::text::nfc;

/// First and last name of a full name: `Ann van Dyke` → `Ann`, `van Dyke`; `DYKE, ANN M` → `Ann`, `Dyke`. A name that is not
/// one person's has no first name: nobody is greeted by half of it.
pub fn split(full: &str) -> (Option<String>, Option<String>) {
    let full = nfc(full.split_whitespace().collect::<Vec<_>>().join(" "));
    let words: Vec<&str> = full.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    if words.is_empty() || !one_person(&words) {
        let couple = words.iter().any(|word| words::joins(word)) && !words.iter().any(|word| words::body(word));
        let last = words.last().filter(|last| couple && plausible(last) && words.len() > 2);
        return (None, last.map(|last| cased(last)));
    }
    if !full.chars().any(|c| c.is_lowercase() || c.is_uppercase()) {
        return (None, None);
    }
    match Name::parse(&full) {
        Some(name) => {
            let surname = spelled(&full, name.surname());
            (name.given_name().filter(|given| plausible(given)).map(|given| spelled(&full, given)), Some(surname))
        }
        None => one_word(&words),
    }
}

/// `Ann`, `Dr. Lee`, `Lee, Jr.`: one word beside titles and suffixes.
fn one_word(words: &[&str]) -> (Option<String>, Option<String>) {
    let names: Vec<&&str> = words.iter().filter(|word| !words::title(word) && !words::suffix(word)).collect();
    match names[..] {
        [name] if !plausible(name) => (None, None),
        [name] if words.len() == 1 => (Some(cased(name)), None),
        [name] => (None, Some(cased(name))),
        _ => (None, None),
    }
}

/// The name that a greeting uses: of the first name, else of the full name. `None` when in doubt.
pub fn greeting(first: Option<&str>, full: Option<&str>) -> Option<String> {
    first.and_then(given).or_else(|| full.and_then(|full| split(full).0).and_then(|first| given(&first)))
}

/// The first name in a cell for it: `Dr. Ann M.` → `Ann`; `None` for `Jr.`, `Ann & Bob`, `J.`, `Owner`.
pub fn given(cell: &str) -> Option<String> {
    // Most cells: one word.
    if cell.len() > 1
        && cell.bytes().all(|b| b.is_ascii_alphabetic())
        && !words::joins(cell)
        && words::ordinary(cell)
        && cell.bytes().any(|b| !b.eq_ignore_ascii_case(&cell.as_bytes()[0]))
    {
        return Some(cased(cell));
    }
    let cell = nfc(without_nickname(&spaced(cell)));
    let (cell, rest) = cell.split_once(',').unwrap_or((&cell, ""));
    if rest.split_whitespace().any(|word| !words::suffix(word)) {
        return None;
    }
    let words: Vec<&str> = cell.split_whitespace().collect();
    if !one_person(&words) {
        return None;
    }
    let titles = words.iter().take_while(|word| words::title(word)).count();
    let names: Vec<&str> = words[titles..].iter().copied().filter(|word| !words::suffix(word)).collect();
    let names: Vec<&str> = match &names[..] {
        // Initials after the name.
        [name, initials @ ..] if !initial(name) => {
            let more = initials.iter().copied().take_while(|word| !initial(word));
            [*name].into_iter().chain(more).collect()
        }
        _ => return None,
    };
    let whole = (1..=2).contains(&names.len()) && names.iter().all(|name| plausible(name));
    whole.then(|| names.iter().map(|name| cased(name)).collect::<Vec<_>>().join(" "))
}

/// `Mr.Bob` → `Mr. Bob`
fn spaced(text: &str) -> String {
    match text.split_once('.') {
        Some((title, rest)) if words::title(title) && rest.starts_with(char::is_alphabetic) => {
            format!("{title}. {rest}")
        }
        _ => text.to_owned(),
    }
}

/// `John "Johnny"` and `John (Johnny)` → `John`
fn without_nickname(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut until = None;
    for c in text.chars() {
        match (until, c) {
            (None, '(') => until = Some(')'),
            (None, '"') => until = Some('"'),
            (None, '“') => until = Some('”'),
            (Some(end), c) if end == c => until = None,
            (None, c) => out.push(c),
            (Some(_), _) => {}
        }
    }
    out
}

fn one_person(words: &[&str]) -> bool {
    let digits = |word: &&str| word.contains(|c: char| c.is_ascii_digit() || "@&+/_|<>=#*\\".contains(c));
    let strange = |word: &&str| words::joins(word) || words::body(word) || digits(word);
    !words.first().is_some_and(|first| words::placeholder(first)) && !words.iter().any(strange)
}

fn initial(word: &str) -> bool {
    word.chars().filter(|c| c.is_alphabetic()).count() < 2
}

/// Two letters or more that are no title and no suffix.
fn plausible(name: &str) -> bool {
    let letters = name.chars().filter(|c| c.is_alphabetic()).count();
    let lower = name.to_lowercase();
    let signs =
        name.chars().all(|c| c.is_alphabetic() || matches!(c, '-' | '\'' | '’' | '.' | ' ' | '\u{300}'..='\u{36f}'));
    letters >= 2
        && name.chars().count() <= 40
        && signs
        // `Ann's` is what is hers.
        && !lower.ends_with("'s")
        && !lower.ends_with("’s")
        && !lower.starts_with("www.")
        // `aaa`
        && !(letters > 2 && name.chars().all(|c| name.starts_with(c)))
        && !words::title(name)
        && !words::suffix(name)
        && !words::placeholder(name)
}

/// The name as the text spells it if it is written in mixed case there, else as the library writes it.
fn spelled(full: &str, name: &str) -> String {
    let name = nfc(name.to_owned());
    let lower = name.to_lowercase();
    let mut starts = full.char_indices().map(|(at, _)| at);
    let found = starts.find_map(|at| {
        let end = full[at..].char_indices().nth(name.chars().count()).map_or(full.len(), |(end, _)| at + end);
        let written = &full[at..end];
        (written.to_lowercase() == lower).then_some(written)
    });
    let mixed = |text: &str| text.chars().any(char::is_lowercase) && text.chars().any(char::is_uppercase);
    found.filter(|written| mixed(written)).map_or_else(|| cased(&name), str::to_owned)
}

/// `ANN` and `ann` → `Ann`; `MARY-JANE` → `Mary-Jane`; what is in mixed case stays.
pub fn cased(name: &str) -> String {
    let (lower, upper) = (name.chars().any(char::is_lowercase), name.chars().any(char::is_uppercase));
    let vowel = |c: char| "AEIOUYaeiouy".contains(c);
    // `TJ` and `JD` are initials that people go by.
    let initials = name.chars().count() == 2 && upper && (!name.contains(vowel) || name.ends_with('J'));
    if (lower && upper) || initials {
        return name.to_owned();
    }
    let mut out = String::with_capacity(name.len());
    let mut start = true;
    for c in name.chars() {
        if start {
            out.extend(c.to_uppercase())
        } else {
            out.extend(c.to_lowercase())
        }
        start = matches!(c, '-' | ' ' | '\'' | '’' | '.');
    }
    out
}

#[cfg(test)]
mod tests;
