//! Classifies a lead's reply by rules in a fixed order. Opt-out comes first.

use luci_leads::normalise::email;

/// The class of a reply. Variants are in the order of precedence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyClass {
    OptOut,
    /// Wants messages again (START, UNSTOP).
    Resubscribe,
    WrongNumber,
    /// With the normalised address.
    EmailCaptured(String),
    ContentPermission,
    NotInterested,
    Interest,
    Question,
    Unclear,
}

impl ReplyClass {
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

    /// As `attempt_logs.response_class` names it; none where that column has no such class.
    pub const fn attempt_class(&self) -> Option<&'static str> {
        match self {
            Self::OptOut => Some("opt_out"),
            Self::EmailCaptured(_) | Self::ContentPermission | Self::Interest => Some("interested"),
            Self::NotInterested => Some("not_interested"),
            Self::Question => Some("question"),
            Self::Resubscribe | Self::WrongNumber | Self::Unclear => None,
        }
    }
}

/// Opt-out keywords: the whole text, or its first word (the carriers' rule).
const STOP_WORDS: &[&str] =
    &["stop", "stopall", "unsubscribe", "cancel", "end", "quit", "optout", "opt-out", "remove", "revoke"];
/// Opt-out phrases anywhere in the text.
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
const WRONG_NUMBER_PHRASES: &[&str] = &[
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
const SEND_PHRASES: &[&str] =
    &["send it", "send me", "send that", "send the", "send over", "yes send", "please send", "email me", "text me the"];
const REFUSAL_PHRASES: &[&str] =
    &["not interested", "no thanks", "no thank you", "no interest", "not for me", "no longer interested"];
const INTEREST_WORDS: &[&str] = &["yes", "yeah", "yep", "sure", "interested", "info", "more", "call", "details"];
const QUESTION_WORDS: &[&str] =
    &["who", "what", "when", "where", "why", "how", "which", "is", "are", "do", "does", "can", "could", "help"];

pub fn classify(text: &str) -> ReplyClass {
    // Phones write typographic apostrophes.
    let plain = text.to_lowercase().replace(['’', '‘', '`'], "'").replace("dont", "don't");
    let plain = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let words: Vec<&str> = plain.split(' ').map(|word| word.trim_matches(|c: char| !c.is_alphanumeric())).collect();
    let first = words.iter().find(|word| !word.is_empty()).copied().unwrap_or_default();
    let alone = plain.trim_matches(|c: char| !c.is_alphanumeric());
    let mentions = |phrases: &[&str]| phrases.iter().any(|phrase| has_phrase(&plain, phrase));
    if STOP_WORDS.contains(&first)
        || STOP_WORDS.contains(&alone)
        || has_phrase(&plain, "opt out")
        || mentions(STOP_PHRASES)
    {
        return ReplyClass::OptOut;
    }
    if ["start", "unstop"].contains(&alone) {
        return ReplyClass::Resubscribe;
    }
    if mentions(WRONG_NUMBER_PHRASES) {
        return ReplyClass::WrongNumber;
    }
    if let Some(address) = email_in(text) {
        return ReplyClass::EmailCaptured(address);
    }
    if mentions(REFUSAL_PHRASES) || alone == "no" {
        return ReplyClass::NotInterested;
    }
    if mentions(SEND_PHRASES) {
        return ReplyClass::ContentPermission;
    }
    if words.iter().any(|word| INTEREST_WORDS.contains(word)) {
        return ReplyClass::Interest;
    }
    if plain.contains('?') || QUESTION_WORDS.contains(&first) {
        return ReplyClass::Question;
    }
    ReplyClass::Unclear
}

/// Whether the text contains the phrase as whole words: `send it` does not contain `end it`.
fn has_phrase(text: &str, phrase: &str) -> bool {
    let apart = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    text.match_indices(phrase)
        .any(|(at, _)| apart(text[..at].chars().next_back()) && apart(text[at + phrase.len()..].chars().next()))
}

fn email_in(text: &str) -> Option<String> {
    let pieces = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '(' | ')' | '"'));
    let pieces = pieces.map(|piece| piece.trim_matches(|c: char| matches!(c, '.' | ':' | '!' | '?' | '\'')));
    pieces.filter(|piece| piece.contains('@')).find_map(email::normalise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_classified_in_order_of_precedence() {
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
            // A substring search would take these for an opt-out.
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
            assert_eq!(classify(text).as_str(), class, "{text}");
        }
        assert_eq!(classify("mail: Ann@Acme.COM!"), ReplyClass::EmailCaptured("ann@acme.com".into()));
    }
}
