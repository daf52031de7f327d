//! The words and sentences of a message, folded.

use std::collections::HashSet;

use super::{
    fold::fold,
    table::{Words, tables},
};

/// Words that stand between two marks.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sentence(Vec<String>);

/// A message without addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    sentences: Vec<Sentence>,
    /// All words in order.
    words: Sentence,
    /// Whether an address was left out.
    shortened: bool,
}

impl Sentence {
    /// The words of a folded text.
    pub fn new_folded(folded: &str) -> Self {
        let mut words: Vec<String> = Vec::new();
        for piece in folded.split(|c: char| !c.is_alphanumeric() && !pictograph(c)) {
            // A pictograph is a word of its own.
            let mut word = String::new();
            for c in piece.chars() {
                if pictograph(c) {
                    words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
                    words.push(c.to_string());
                } else {
                    word.push(c);
                }
            }
            words.extend(Some(word).filter(|word| !word.is_empty()));
        }
        Self(words)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn words(&self) -> &[String] {
        &self.0
    }

    pub fn text(&self) -> String {
        self.0.join(" ")
    }

    /// Without polite words at both ends; none where nothing is left.
    pub fn core(&self) -> Option<String> {
        let filler = |word: &&String| tables().filler.has(word) && !tables().strong.has(word);
        let from = self.0.iter().take_while(filler).count();
        let to = self.0.len() - self.0[from..].iter().rev().take_while(filler).count();
        (from < to).then(|| self.0[from..to].join(" "))
    }
}

impl Body {
    pub fn new(text: &str) -> Self {
        // A line break ends a sentence.
        // `lose my #`; `Stop - wrong number`
        let text = text.replace('#', " number ").replace(" - ", ". ");
        let folded = fold(&text.lines().map(without_addresses).collect::<Vec<_>>().join(". "));
        let ends =
            |c: char| matches!(c, '.' | '!' | '?' | ';' | ',' | ':' | '…' | '–' | '—' | '(' | ')' | '。' | '、' | '؟');
        let sentences = folded.split(ends).map(Sentence::new_folded).filter(|sentence| sentence.len() > 0).collect();
        Self { sentences, words: Sentence::new_folded(&folded), shortened: text.split_whitespace().any(is_address) }
    }

    pub fn is_empty(&self) -> bool {
        self.words.0.is_empty()
    }

    /// Whether the message is these words and nothing else.
    pub const fn is_whole_message(&self) -> bool {
        !self.shortened
    }

    pub fn sentences(&self) -> &[Sentence] {
        &self.sentences
    }

    pub fn all(&self) -> &Sentence {
        &self.words
    }

    pub fn text(&self) -> String {
        self.words.text()
    }

    pub fn core(&self) -> Option<String> {
        self.words.core()
    }

    /// The one word of the message.
    pub fn only_word(&self) -> Option<&str> {
        match &self.words.0[..] {
            [word] => Some(word),
            _ => None,
        }
    }

    pub fn first_word(&self) -> Option<&String> {
        self.words.0.first()
    }

    /// The ways in which the whole message can be one keyword: as written, spelled out (`S T O P`), drawn out (`stooop`),
    /// repeated (`stop stop`).
    pub fn whole(&self) -> Vec<String> {
        let mut forms = vec![self.text()];
        let words = &self.words.0;
        if words.len() > 2 && words.iter().all(|word| word.chars().count() == 1) {
            forms.push(words.concat());
        }
        let spoken: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.chars().all(pictograph)).collect();
        if spoken.len() < words.len() {
            forms.push(spoken.join(" "));
        }
        let distinct: HashSet<&String> = words.iter().collect();
        if words.len() > 1 && distinct.len() == 1 {
            forms.push(words[0].clone());
        }
        if let [word] = &words[..] {
            forms.push(without_runs(word));
            forms.extend(["stop", "unsubscribe"].into_iter().filter(|known| repeats(word, known)).map(str::to_owned));
        }
        forms
    }

    /// Whether the message is one of these words and fillers only.
    pub fn core_is_empty_after(&self, words: &Words) -> bool {
        let known = |word: &String| words.has(word) || tables().filler.has(word);
        self.words.0.iter().any(|word| words.has(word)) && self.words.0.iter().all(known) && !self.affirms()
    }

    fn affirms(&self) -> bool {
        self.words.0.iter().any(|word| tables().interest.has(word))
    }

    /// Whether the first of these words comes after a negation, at most `reach` words before it in the same sentence, or after
    /// a sentence that begins with `no`.
    pub fn negates(&self, words: &Words, reach: usize) -> bool {
        let negations = &tables().negation;
        let Some((sentence, at)) =
            self.sentences.iter().find_map(|sentence| Some((sentence, words.position(sentence)?)))
        else {
            return false;
        };
        let before = Sentence(sentence.0[at.saturating_sub(reach)..at].to_vec());
        let plain = tables().plain.first_in_sentence(&Sentence(sentence.0[..at].to_vec())).is_some();
        let refused = || {
            let first = self.sentences.first().map(Sentence::text);
            first.is_some_and(|first| tables().refusal_whole.has(&first))
        };
        !plain && (negations.first_in_sentence(&before).is_some() || refused())
    }
}

fn without_addresses(line: &str) -> String {
    line.split_whitespace().filter(|piece| !is_address(piece)).collect::<Vec<_>>().join(" ")
}

/// E-mail and web addresses: their words are no words of the message.
fn is_address(piece: &str) -> bool {
    let host = piece.contains('@') && piece.contains('.');
    host || piece.contains("://") || piece.starts_with("www.")
}

/// Symbols and emoji that the tables know.
const fn pictograph(c: char) -> bool {
    matches!(c, '\u{2600}'..='\u{27bf}' | '\u{1f300}'..='\u{1faff}')
}

/// Three and more of one letter become one: `stoooop` → `stop`.
fn without_runs(word: &str) -> String {
    let chars: Vec<char> = word.chars().collect();
    let mut kept = String::new();
    let mut at = 0;
    while at < chars.len() {
        let run = chars[at..].iter().take_while(|c| **c == chars[at]).count();
        (0..if run > 2 { 1 } else { run }).for_each(|_| kept.push(chars[at]));
        at += run;
    }
    kept
}

/// `stopstop`
fn repeats(word: &str, known: &str) -> bool {
    word.len() > known.len() && word.len().is_multiple_of(known.len()) && word.replace(known, "").is_empty()
}
