//! What a lead meant by a text message, by rules in a fixed order: whoever wants to be left alone is heard first.

use super::email;

/// In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    OptOut,
    /// Wants to be written to again (START, UNSTOP).
    Resubscribe,
    WrongNumber,
    /// With the address, tidy.
    EmailCaptured(String),
    ContentPermission,
    NotInterested,
    Interest,
    Question,
    Unclear,
}

impl Answer {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::OptOut => "opt_out",
            Self::Resubscribe => "resubscribe",
            Self::WrongNumber => "wrong_number",
            Self::EmailCaptured(_) => "email_captured",
            Self::ContentPermission => "content_permission",
            Self::NotInterested => "not_interested",
            Self::Interest => "interest",
            Self::Question => "question",
            Self::Unclear => "unclear",
        }
    }

    /// In the words of the attempt log, which has fewer.
    pub const fn logged(&self) -> Option<&'static str> {
        match self {
            Self::OptOut => Some("opt_out"),
            Self::EmailCaptured(_) | Self::ContentPermission | Self::Interest => Some("interested"),
            Self::NotInterested => Some("not_interested"),
            Self::Question => Some("question"),
            Self::Resubscribe | Self::WrongNumber | Self::Unclear => None,
        }
    }
}

/// Alone, or as the first word (the carriers' rule).
const STOP_WORDS: &[&str] =
    &["stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "opt-out", "remove", "revoke"];
/// Anywhere.
const STOP_PHRASES: &[&str] = &[
    "remove me",
    "take me off",
    "opt me out",
    "unsubscribe me",
    "stop texting",
    "stop messaging",
    "stop contacting",
    "stop calling",
    "don't text",
    "do not text",
    "don't contact",
    "do not contact",
    "don't message",
    "do not message",
    "don't call",
    "do not call",
    "no more texts",
    "no more messages",
    "leave me alone",
];
const WRONG: &[&str] = &[
    "wrong number",
    "wrong person",
    "wrong phone",
    "not the right number",
    "not the right person",
    "no longer at this number",
    "don't know who that is",
    "no one by that name",
    "nobody by that name",
];
const SEND: &[&str] =
    &["send it", "send me", "send that", "send the", "send over", "yes send", "please send", "email me", "text me the"];
const NO: &[&str] =
    &["not interested", "no thanks", "no thank you", "no interest", "not for me", "no longer interested"];
const YES: &[&str] = &["yes", "yeah", "yep", "sure", "interested", "info", "more", "call", "details"];
const ASKING: &[&str] =
    &["who", "what", "when", "where", "why", "how", "which", "is", "are", "do", "does", "can", "could", "help"];

pub fn read(text: &str) -> Answer {
    // Spaces count as one, and phones write their own apostrophes.
    let plain = text.to_lowercase().replace(['’', '‘', '`'], "'").replace("dont", "don't");
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let words: Vec<&str> = plain.split(' ').map(|word| word.trim_matches(|c: char| !c.is_alphanumeric())).collect();
    let first = words.iter().find(|word| !word.is_empty()).copied().unwrap_or_default();
    let alone = plain.trim_matches(|c: char| !c.is_alphanumeric());
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| has(&plain, phrase));
    if STOP_WORDS.contains(&first) || STOP_WORDS.contains(&alone) || has(&plain, "opt out") || says(STOP_PHRASES) {
        return Answer::OptOut;
    }
    if ["start", "unstop"].contains(&alone) {
        return Answer::Resubscribe;
    }
    if says(WRONG) {
        return Answer::WrongNumber;
    }
    if let Some(address) = address(text) {
        return Answer::EmailCaptured(address);
    }
    if says(NO) || alone == "no" {
        return Answer::NotInterested;
    }
    if says(SEND) {
        return Answer::ContentPermission;
    }
    if words.iter().any(|word| YES.contains(word)) {
        return Answer::Interest;
    }
    if plain.contains('?') || ASKING.contains(&first) {
        return Answer::Question;
    }
    Answer::Unclear
}

/// Whether the phrase stands there as words of its own: `end it` is not in `send it`.
fn has(text: &str, phrase: &str) -> bool {
    let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    text.match_indices(phrase)
        .any(|(at, _)| apart(text[..at].chars().next_back()) && apart(text[at + phrase.len()..].chars().next()))
}

fn address(text: &str) -> Option<String> {
    let pieces = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '(' | ')' | '"'));
    let pieces = pieces.map(|piece| piece.trim_matches(|c: char| matches!(c, '.' | ':' | '!' | '?' | '\'')));
    pieces.filter(|piece| piece.contains('@')).find_map(email::normalise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_meant() {
        for (text, class) in [
            ("STOP", "opt_out"),
            (" stop. ", "opt_out"),
            ("Stop texting me please", "opt_out"),
            ("END", "opt_out"),
            ("Opt Out", "opt_out"),
            ("please remove me from this list", "opt_out"),
            ("I said don’t text me", "opt_out"),
            ("dont text", "opt_out"),
            ("yes but stop messaging at night", "opt_out"),
            ("Unsubscribe ann@x.co", "opt_out"),
            // What a search for the letters would take for an opt-out.
            ("Send it", "content_permission"),
            ("Sure, send it over the weekend my friend", "content_permission"),
            ("I can't at the weekend", "unclear"),
            ("Nonstop rain here", "unclear"),
            ("start", "resubscribe"),
            ("UNSTOP", "resubscribe"),
            ("Start with the roof", "unclear"),
            ("wrong number", "wrong_number"),
            ("Sorry, wrong number, try ann@x.co", "wrong_number"),
            ("you can reach me at Ann.Lee@Acme.com.", "email_captured"),
            ("yes, email me", "content_permission"),
            ("YES", "interest"),
            ("I'm interested", "interest"),
            ("Not interested", "not_interested"),
            ("no", "not_interested"),
            ("call me tomorrow?", "interest"),
            ("HELP", "question"),
            ("who is this", "question"),
            ("And the price?", "question"),
            ("ok", "unclear"),
            ("", "unclear"),
        ] {
            assert_eq!(read(text).as_str(), class, "{text}");
        }
        assert_eq!(read("mail: Ann@Acme.COM!"), Answer::EmailCaptured("ann@acme.com".into()));
    }
}
