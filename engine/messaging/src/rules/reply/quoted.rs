//! What a message repeats of others: tapbacks, quoted lines, our own instructions. None of it is the writer's own word.

use super::{
    body::{Body, Sentence},
    fold::fold,
    table::{Words, tables},
};

/// A tapback on our message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reaction {
    Liked,
    Questioned,
    Disliked,
}

const OPENING: [char; 7] = ['“', '"', '«', '„', '”', '「', '‘'];
const CLOSING: [char; 7] = ['”', '"', '»', '“', '」', '’', '„'];

/// The reaction that the whole message is: a verb and the quoted message, or an emoji `to` it.
pub fn reaction(text: &str) -> Option<Reaction> {
    let text = text.trim();
    let Some(opened) = text.find(OPENING) else {
        // A picture has no words to quote.
        return without_object(text).and_then(by_verb);
    };
    let quote = text[opened..].chars().next()?;
    let quoted = text[opened + quote.len_utf8()..].trim_end();
    // Nothing may follow the quoted message.
    let ends = quoted.ends_with(CLOSING);
    let closed_early = quoted.trim_end_matches(CLOSING).contains(closing(quote));
    if closed_early || (!ends && quoted.contains(CLOSING)) {
        return None;
    }
    by_verb(text[..opened].trim())
}

/// `Liked an image` → `Liked`
fn without_object(text: &str) -> Option<&str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let object = (2..words.len()).rev().chain([1]).find(|at| {
        *at < words.len() && tables().object.has(&Sentence::new_folded(&fold(&words[*at..].join(" "))).text())
    })?;
    let end = words[object].as_ptr() as usize - text.as_ptr() as usize;
    Some(text[..end].trim())
}

const fn closing(opening: char) -> char {
    match opening {
        '“' => '”',
        '«' => '»',
        '„' => '“',
        '「' => '」',
        '‘' => '’',
        other => other,
    }
}

fn by_verb(verb: &str) -> Option<Reaction> {
    let tables = tables();
    let words = Sentence::new_folded(&fold(verb));
    let text = words.words().iter().filter(|word| word.chars().any(char::is_alphabetic)).cloned().collect::<Vec<_>>();
    let emoji =
        words.len() > text.len() || verb.chars().any(|c| !c.is_ascii() && !c.is_alphanumeric() && !c.is_whitespace());
    let spoken = text.join(" ");
    let is = |words: &Words| words.has(&spoken);
    let against = verb.contains(['👎', '🖕', '🛑', '😡', '🤬']);
    let added = emoji && is(&tables.added);
    if emoji && is(&tables.removed) {
        // What was taken back counts no more.
        Some(Reaction::Liked)
    } else if is(&tables.disliked) || (added && against) {
        Some(Reaction::Disliked)
    } else if is(&tables.questioned) {
        Some(Reaction::Questioned)
    } else {
        (added || is(&tables.liked)).then_some(Reaction::Liked)
    }
}

/// A message without what it quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quoted {
    /// The writer's own words.
    pub own: String,
    pub dropped: Dropped,
}

/// What was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dropped {
    /// How to opt out, in the words of a sender.
    pub instruction: bool,
    /// A stop word in quotation marks that is no instruction: it may be the writer's own.
    pub stop: bool,
}

pub fn without_quotes(text: &str) -> Quoted {
    let mut dropped = Dropped::default();
    let own = without_marked(&without_quoted_lines(text), &mut dropped);
    Quoted { own: without_instructions(&own, &mut dropped), dropped }
}

/// Without lines that begin with `>`, and without what follows `On … wrote:` or `-----Original Message-----`.
fn without_quoted_lines(text: &str) -> String {
    let starts = |line: &str| {
        let line = line.trim();
        (line.starts_with("On ") && line.ends_with("wrote:")) || line.contains("Original Message-----")
    };
    let own = text.lines().take_while(|line| !starts(line)).filter(|line| !line.trim_start().starts_with('>'));
    own.collect::<Vec<_>>().join("\n")
}

/// Without passages of four words or more in quotation marks.
fn without_marked(text: &str, dropped: &mut Dropped) -> String {
    let (mut own, mut rest) = (String::new(), text);
    while let Some(at) = rest.find(['“', '"', '«', '„']) {
        let quote = rest[at..].chars().next().map_or('"', |c| c);
        let inside = &rest[at + quote.len_utf8()..];
        let Some(end) = inside.find(closing(quote)) else { break };
        let passage = Body::new(&inside[..end]);
        let after = &inside[end + closing(quote).len_utf8()..];
        if passage.all().len() < 4 {
            own.push_str(&rest[..at]);
            own.push(' ');
            own.push_str(&inside[..end]);
        } else {
            own.push_str(&rest[..at]);
            let instruction = tables().instruction.first_in(&passage).is_some();
            dropped.instruction |= instruction;
            dropped.stop |= !instruction && super::opt_out(&passage).is_some();
        }
        own.push(' ');
        rest = after;
    }
    own + rest
}

/// Without `Reply STOP to opt out`, when somebody copies a whole message without quotation marks.
fn without_instructions(text: &str, dropped: &mut Dropped) -> String {
    let sentences: Vec<&str> = text.split_inclusive(['.', '!', '?', '\n']).collect();
    let is_instruction = |sentence: &&str| {
        let folded = Sentence::new_folded(&fold(sentence));
        tables().instruction.position(&folded) == Some(0) && folded.len() > 2
    };
    if sentences.iter().any(is_instruction) {
        dropped.instruction = true;
        return sentences.into_iter().filter(|sentence| !is_instruction(sentence)).collect();
    }
    text.to_owned()
}
