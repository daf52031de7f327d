//! Classifies a lead's reply by tables (`data/reply_rules.txt`), in a fixed order. When in doubt nobody is texted: a
//! possible opt-out is on hold until a person decides.
//!
//! The order: the carrier's verdict; reactions and quoted text are left out; keywords as the whole message; explicit requests
//! in a short sentence; possible opt-outs; then wrong number, refusal (negation comes before interest), and
//! the rest. A message with a stop word is never interest.

mod body;
mod fold;
mod quoted;
mod table;
mod typo;

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod tests;

use luci_leads::normalise::email;

use self::{
    body::Body,
    quoted::{Quoted, Reaction},
    table::tables,
};

/// Words of the longest sentence that counts as a request.
const SHORT: usize = 14;
/// Words between a negation and the word of interest that it negates.
const REACH: usize = 4;

/// The class of a reply. Variants are in the order of precedence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplyClass {
    OptOut,
    /// May be an opt-out: nothing is sent until a person has decided.
    Hold,
    /// Wants messages again (START, UNSTOP).
    Resubscribe,
    /// A tapback: `Liked “…”`. Nothing else follows from it.
    Reaction,
    WrongNumber,
    /// With the normalised address.
    EmailCaptured(String),
    NotInterested,
    ContentPermission,
    Interest,
    Question,
    Unclear,
}

impl ReplyClass {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::OptOut => "opt_out",
            Self::Hold => "hold",
            Self::Resubscribe => "resubscribe",
            Self::Reaction => "reaction",
            Self::WrongNumber => "wrong_number",
            Self::EmailCaptured(_) => "email_captured",
            Self::NotInterested => "not_interested",
            Self::ContentPermission => "content_permission",
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
            Self::Hold | Self::Resubscribe | Self::Reaction | Self::WrongNumber | Self::Unclear => None,
        }
    }
}

/// What the carrier has decided about the message (Twilio's `OptOutType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarrierVerdict {
    Stop,
    Start,
    Help,
}

impl CarrierVerdict {
    pub fn parse(text: &str) -> Option<Self> {
        match text.trim().to_ascii_uppercase().as_str() {
            "STOP" => Some(Self::Stop),
            "START" => Some(Self::Start),
            "HELP" => Some(Self::Help),
            _ => None,
        }
    }
}

/// Which kind of rule decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RuleKind {
    Carrier,
    Keyword,
    Request,
    MayBe,
    Quoted,
    Reaction,
    Words,
    None,
}

impl RuleKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Carrier => "carrier",
            Self::Keyword => "keyword",
            Self::Request => "request",
            Self::MayBe => "may_be",
            Self::Quoted => "quoted",
            Self::Reaction => "reaction",
            Self::Words => "words",
            Self::None => "none",
        }
    }
}

/// The class of a reply and the rule that gave it. The rule holds words of the tables only, never of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub class: ReplyClass,
    pub kind: RuleKind,
    /// `keyword:stop`, `request:lose my number`
    pub rule: String,
}

impl Reply {
    fn of(class: ReplyClass, kind: RuleKind, word: &str) -> Self {
        let rule = if word.is_empty() { kind.as_str().to_owned() } else { format!("{}:{word}", kind.as_str()) };
        Self { class, kind, rule }
    }
}

pub fn classify(text: &str, verdict: Option<CarrierVerdict>) -> Reply {
    verdict.map(by_carrier).unwrap_or_else(|| by_text(text))
}

fn by_carrier(verdict: CarrierVerdict) -> Reply {
    let (class, word) = match verdict {
        CarrierVerdict::Stop => (ReplyClass::OptOut, "stop"),
        CarrierVerdict::Start => (ReplyClass::Resubscribe, "start"),
        CarrierVerdict::Help => (ReplyClass::Question, "help"),
    };
    Reply::of(class, RuleKind::Carrier, word)
}

fn by_text(text: &str) -> Reply {
    if let Some(reaction) = quoted::reaction(text) {
        let (class, word) = match reaction {
            Reaction::Liked => (ReplyClass::Reaction, "liked"),
            Reaction::Questioned => (ReplyClass::Question, "questioned"),
            Reaction::Disliked => (ReplyClass::Hold, "disliked"),
        };
        return Reply::of(class, RuleKind::Reaction, word);
    }
    let Quoted { own, dropped } = quoted::without_quotes(text);
    let body = Body::new(&own);
    if body.is_empty() && dropped.instruction {
        return Reply::of(ReplyClass::Hold, RuleKind::Quoted, "instruction");
    }
    opt_out(&body).or_else(|| dropped.stop.then(|| may_be("quoted"))).unwrap_or_else(|| rest(text, &own, &body))
}

fn may_be(word: &str) -> Reply {
    Reply::of(ReplyClass::Hold, RuleKind::MayBe, word)
}

/// Keywords, requests, and possible opt-outs.
fn opt_out(body: &Body) -> Option<Reply> {
    let tables = tables();
    if let Some(word) = body.whole().into_iter().find(|whole| tables.keyword.has(whole)) {
        let kind = if body.is_whole_message() { RuleKind::Keyword } else { RuleKind::Request };
        return Some(Reply::of(ReplyClass::OptOut, kind, &word));
    }
    if let Some(word) = body.core().filter(|core| tables.keyword.has(core) || tables.request_whole.has(core)) {
        return Some(Reply::of(ReplyClass::OptOut, RuleKind::Request, &word));
    }
    if tables.request_whole.has(&body.text()) {
        return Some(Reply::of(ReplyClass::OptOut, RuleKind::Request, &body.text()));
    }
    if tables.resubscribe.has(&body.text()) {
        return Some(Reply::of(ReplyClass::Resubscribe, RuleKind::Keyword, &body.text()));
    }
    let short = || body.sentences().iter().filter(|sentence| sentence.len() <= SHORT);
    let asked = short().find_map(|sentence| {
        let strong = sentence.core().filter(|core| tables.strong.has(core));
        strong.or_else(|| tables.request.unnegated(sentence, &tables.negation))
    });
    if let Some(word) = asked {
        return Some(Reply::of(ReplyClass::OptOut, RuleKind::Request, &word));
    }
    // Requests in a long or a negated sentence, and across sentences.
    let found = tables.anywhere.first_in(body).or_else(|| tables.request.first_in(body));
    let found = found.or_else(|| tables.may_be.first_in(body));
    let whole = || body.core().or_else(|| Some(body.text())).filter(|whole| tables.may_be_whole.has(whole));
    found.or_else(whole).map(|word| may_be(&word)).or_else(|| {
        // `srtop` may be meant to be one.
        let word = body.only_word().filter(|word| !tables.not_typo.has(word))?;
        ["stop", "unsubscribe", "cancel", "optout", "arret"]
            .iter()
            .find(|known| typo::one_edit(word, known))
            .map(|_| may_be("typo"))
    })
}

/// What has no stop word.
fn rest(text: &str, own: &str, body: &Body) -> Reply {
    let tables = tables();
    let words = |class, word: &str| Reply::of(class, RuleKind::Words, word);
    if let Some(word) = tables.wrong_number.first_in(body) {
        return words(ReplyClass::WrongNumber, &word);
    }
    if let Some(address) = email_in(own) {
        return words(ReplyClass::EmailCaptured(address), "address");
    }
    if let Some(word) = tables.refusal.first_in(body) {
        return words(ReplyClass::NotInterested, &word);
    }
    if tables.refusal_whole.has(&body.text()) || body.core_is_empty_after(&tables.refusal_whole) {
        return words(ReplyClass::NotInterested, "no");
    }
    if body.negates(&tables.interest, REACH) || body.negates(&tables.send, REACH) {
        return words(ReplyClass::NotInterested, "negation");
    }
    if let Some(word) = tables.send.first_in(body) {
        return words(ReplyClass::ContentPermission, &word);
    }
    if let Some(word) = tables.interest.first_in(body) {
        return words(ReplyClass::Interest, &word);
    }
    if text.contains(['?', '？', '؟']) {
        return words(ReplyClass::Question, "question mark");
    }
    if let Some(word) = body.first_word().filter(|word| tables.question.has(word)) {
        return words(ReplyClass::Question, word);
    }
    Reply::of(ReplyClass::Unclear, RuleKind::None, "")
}

fn email_in(text: &str) -> Option<String> {
    let pieces = text.split(|c: char| c.is_whitespace() || matches!(c, ',' | ';' | '<' | '>' | '(' | ')' | '"'));
    let pieces = pieces.map(|piece| piece.trim_matches(|c: char| matches!(c, '.' | ':' | '!' | '?' | '\'')));
    pieces.filter(|piece| piece.contains('@')).find_map(email::normalise)
}
