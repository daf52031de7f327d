//! Words beside a number: `Home:`, `(cell)`, `ext.`

use super::{Named, Reason};
use crate::{PhoneKind, country::country_named};

/// What a word beside a number says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Word {
    Kind(PhoneKind),
    /// Not a phone: fax or pager.
    Fax,
    Extension,
    /// Separates two numbers.
    Or,
    Other,
}

/// The meaning of a word in lower case.
pub(super) fn meaning(word: &str) -> Word {
    match word {
        "mobile" | "cell" | "cellphone" | "cellular" | "mob" | "m" | "c" | "handy" | "sms" | "text" | "iphone"
        | "whatsapp" | "celular" | "movil" | "móvil" => Word::Kind(PhoneKind::Mobile),
        "landline" => Word::Kind(PhoneKind::Landline),
        "voip" => Word::Kind(PhoneKind::Voip),
        "home" | "h" | "work" | "w" | "office" | "o" | "business" | "bus" | "b" | "main" | "direct" | "d" | "desk"
        | "phone" | "tel" | "telephone" | "ph" | "p" | "t" | "company" | "hq" | "primary" | "other" | "number"
        | "no" | "call" | "callto" | "casa" | "telefono" | "teléfono" | "dial" => Word::Kind(PhoneKind::Unknown),
        "fax" | "f" | "efax" | "telefax" | "pager" | "facsimile" => Word::Fax,
        "x" | "ext" | "extn" | "extension" | "xt" | "extno" | "exten" | "poste" | "durchwahl" | "dw" | "nst"
        | "anexo" | "interno" | "int" | "ramal" | "toestel" | "wew" | "доб" => Word::Extension,
        "or" | "and" | "y" | "und" => Word::Or,
        _ => Word::Other,
    }
}

/// What the words beside a number say against using it.
const AGAINST: &[(Reason, &[&str])] = &[
    (
        Reason::DoNotContact,
        &[
            "dnc",
            "do not call",
            "do not text",
            "do not sms",
            "do not contact",
            "do not message",
            "do not use",
            "dont call",
            "dont text",
            "dont contact",
            "dont use",
            "no calls",
            "no call",
            "no text",
            "no texts",
            "no texting",
            "no sms",
            "opted out",
            "opt out",
            "unsubscribed",
        ],
    ),
    (
        Reason::NotInService,
        &["disconnected", "wrong number", "wrong person", "not in service", "out of service", "no longer in service"],
    ),
];

/// Why the numbers beside these words are not used; `None` when nothing is said against them. In lower case.
pub(super) fn against<'a>(words: impl Iterator<Item = &'a str>) -> Option<Reason> {
    let text = format!(" {} ", words.collect::<Vec<_>>().join(" ")).replace(" don t ", " dont ");
    let says = |phrases: &&[&str]| phrases.iter().any(|phrase| text.contains(&format!(" {phrase} ")));
    AGAINST.iter().find(|(_, phrases)| says(phrases)).map(|(reason, _)| *reason)
}

/// The country that words beside a number name (`UK: 2079460958`).
pub(super) fn country(words: &[&str]) -> Option<Named> {
    // `New Mexico`, `Panama City`
    let place = |at: usize| (at > 0 && words[at - 1] == "new") || words.get(at + 1) == Some(&"city");
    let single = (0..words.len()).filter(|at| !place(*at)).map(|at| words[at].to_owned());
    let pairs = words.windows(2).map(|pair| pair.join(" "));
    let named = single.chain(pairs).find_map(|words| country_named(&words))?;
    // Of which other country it is would be a guess where the words are a person's.
    Some(if named.north_american() { Named::Country(named) } else { Named::Unknown })
}

/// `1-800-FLOWERS` → `1-800-3569377`. Only whole numbers with three letters together after the area code, and not letters that
/// are typed for digits (`O`, `I`, `l`).
pub(super) fn vanity(text: &str) -> Option<String> {
    let signs: Vec<char> = text.chars().filter(char::is_ascii_alphanumeric).collect();
    let national = match signs.len() {
        10 => &signs[..],
        11 if signs[0] == '1' => &signs[1..],
        _ => return None,
    };
    let area = national[..3].iter().all(char::is_ascii_digit);
    let words = || text.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let known = words().any(|word| meaning(&word.to_lowercase()) != Word::Other);
    let typed = words().any(|word| word.len() < 3 || word.chars().all(|c| "OoIlSsBbZz".contains(c)));
    let punctuation = text.chars().all(|c| c.is_ascii_alphanumeric() || " ().-+/".contains(c));
    if !area || words().next().is_none() || known || typed || !punctuation {
        return None;
    }
    Some(text.chars().map(key).collect())
}

/// The digit of a letter on a phone's keys.
fn key(c: char) -> char {
    match c.to_ascii_lowercase() {
        'a'..='c' => '2',
        'd'..='f' => '3',
        'g'..='i' => '4',
        'j'..='l' => '5',
        'm'..='o' => '6',
        'p'..='s' => '7',
        't'..='v' => '8',
        'w'..='z' => '9',
        other => other,
    }
}
