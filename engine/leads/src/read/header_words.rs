//! Headers of lists and exports in other languages than English (`data/headers.txt`).

use std::{collections::HashMap, sync::LazyLock};

use crate::{Field, read::mapping::fold};

const WORDS: &str = include_str!("../../data/headers.txt");

/// Field and text of each header.
fn words() -> impl Iterator<Item = (Field, &'static str)> {
    let lines = WORDS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let fields =
        lines.filter_map(|line| line.split_once(": ")).filter_map(|(name, texts)| Some((Field::parse(name)?, texts)));
    fields.flat_map(|(field, texts)| texts.split("; ").map(move |text| (field, text)))
}

static FIELDS: LazyLock<HashMap<String, Field>> =
    LazyLock::new(|| words().map(|(field, word)| (fold(word), field)).collect());

/// The field of a folded header.
pub(super) fn field(folded: &str) -> Option<Field> {
    FIELDS.get(folded).copied()
}

/// Words for a name that are the first name beside a column of last names, or the last name beside one of first names (`Nom`
/// beside `Prénom`), and the whole name otherwise.
pub(super) fn name(folded: &str, has_first: bool, has_last: bool) -> Option<Field> {
    let whole = Field::ContactName;
    match folded {
        "nom" | "naam" | "namn" | "navn" if has_first => Some(Field::LastName),
        "nombre" | "nombres" | "nome" | "imie" | "ad" if has_last => Some(Field::FirstName),
        "nom" | "naam" | "namn" | "navn" | "nombre" | "nombres" | "nome" | "имя" | "kontakt" | "contacto" => {
            Some(whole)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_word_names_two_fields() {
        let mut seen = HashMap::new();
        for (field, word) in words() {
            let own = fold(word);
            assert!(!own.is_empty(), "{word}");
            assert_eq!(*seen.entry(own.clone()).or_insert(field), field, "{word}");
            assert!(Field::ALL.iter().all(|other| *other == field || !other.variants().contains(&&own[..])), "{word}");
        }
        let lines = WORDS.lines().filter(|line| !line.starts_with('#'));
        for line in lines {
            assert!(line.split_once(": ").and_then(|(name, _)| Field::parse(name)).is_some(), "{line}");
        }
    }
}
