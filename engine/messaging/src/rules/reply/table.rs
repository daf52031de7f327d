//! The tables of `data/reply_rules.txt`, read once.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use super::{
    body::{Body, Sentence},
    fold::{fold, unspaced},
};

const RULES: &str = include_str!("../../../data/reply_rules.txt");

/// Words and phrases of one kind, folded.
#[derive(Debug, Default)]
pub struct Words {
    all: HashSet<String>,
    /// By first word, each as its words; longest first.
    phrases: HashMap<String, Vec<Vec<String>>>,
    /// Of scripts without spaces: found inside of words.
    inside: Vec<String>,
}

impl Words {
    fn add(&mut self, text: &str) {
        let folded = Sentence::new_folded(&fold(text));
        let words = folded.words().to_vec();
        let joined = words.join(" ");
        let Some(first) = words.first().cloned() else { return };
        if joined.chars().all(|c| c == ' ' || unspaced(c)) {
            self.inside.push(joined.clone());
        }
        let phrases = self.phrases.entry(first).or_default();
        phrases.push(words);
        phrases.sort_by_key(|words| std::cmp::Reverse(words.len()));
        self.all.insert(joined);
    }

    /// Whether the whole text is one of them.
    pub fn has(&self, text: &str) -> bool {
        self.all.contains(text)
    }

    fn at(&self, words: &[String]) -> Option<&Vec<String>> {
        let phrases = self.phrases.get(words.first()?)?;
        phrases.iter().find(|phrase| words.starts_with(phrase))
    }

    /// Where the first of them begins.
    pub fn position(&self, sentence: &Sentence) -> Option<usize> {
        (0..sentence.len()).find(|at| self.at(&sentence.words()[*at..]).is_some())
    }

    pub fn first_in_sentence(&self, sentence: &Sentence) -> Option<String> {
        let found = (0..sentence.len()).find_map(|at| self.at(&sentence.words()[at..]));
        found.map(|phrase| phrase.join(" ")).or_else(|| self.inside_of(sentence))
    }

    fn inside_of(&self, sentence: &Sentence) -> Option<String> {
        let text = sentence.text();
        let mut unspaced_words = text.chars().filter(|c| unspaced(*c));
        unspaced_words.next()?;
        self.inside.iter().find(|phrase| text.contains(phrase.as_str())).cloned()
    }

    /// The first in the message, across its sentences.
    pub fn first_in(&self, body: &Body) -> Option<String> {
        self.first_in_sentence(body.all())
    }

    /// The first in the sentence that no negation turns around: not in `never stop texting me`.
    pub fn unnegated(&self, sentence: &Sentence, negation: &Self) -> Option<String> {
        let words = sentence.words();
        let found = (0..words.len()).filter_map(|at| Some((at, self.at(&words[at..])?)));
        let turned = |at: usize| at > 0 && words[at.saturating_sub(2)..at].iter().any(|word| negation.has(word));
        // `no, stop texting me` is in sentences of its own; `no stop texting me` begins with the answer.
        let answer = |at: usize| at == 1 && words[0] == "no";
        let mut unnegated = found.filter(|(at, _)| !turned(*at) || answer(*at));
        unnegated.next().map(|(_, phrase)| phrase.join(" ")).or_else(|| self.inside_of(sentence))
    }
}

/// All tables.
#[derive(Debug, Default)]
pub struct Tables {
    pub keyword: Words,
    pub strong: Words,
    pub anywhere: Words,
    pub request: Words,
    pub may_be: Words,
    pub may_be_whole: Words,
    pub request_whole: Words,
    pub wrong_number: Words,
    pub refusal: Words,
    pub refusal_whole: Words,
    pub negation: Words,
    pub plain: Words,
    pub send: Words,
    pub interest: Words,
    pub question: Words,
    pub resubscribe: Words,
    pub filler: Words,
    pub instruction: Words,
    pub liked: Words,
    pub questioned: Words,
    pub disliked: Words,
    pub added: Words,
    pub removed: Words,
    pub object: Words,
    pub not_typo: Words,
}

impl Tables {
    fn of(&mut self, kind: &str) -> Option<&mut Words> {
        Some(match kind {
            "keyword" => &mut self.keyword,
            "strong" => &mut self.strong,
            "anywhere" => &mut self.anywhere,
            "request" => &mut self.request,
            "may_be" => &mut self.may_be,
            "may_be_whole" => &mut self.may_be_whole,
            "request_whole" => &mut self.request_whole,
            "wrong_number" => &mut self.wrong_number,
            "refusal" => &mut self.refusal,
            "refusal_whole" => &mut self.refusal_whole,
            "negation" => &mut self.negation,
            "plain" => &mut self.plain,
            "send" => &mut self.send,
            "interest" => &mut self.interest,
            "question" => &mut self.question,
            "resubscribe" => &mut self.resubscribe,
            "filler" => &mut self.filler,
            "instruction" => &mut self.instruction,
            "liked" => &mut self.liked,
            "questioned" => &mut self.questioned,
            "disliked" => &mut self.disliked,
            "added" => &mut self.added,
            "removed" => &mut self.removed,
            "object" => &mut self.object,
            "not_typo" => &mut self.not_typo,
            _ => return None,
        })
    }
}

/// Kind and texts of each line.
fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    let lines = RULES.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.split_once(": ").unwrap_or((line, "")))
}

static TABLES: LazyLock<Tables> = LazyLock::new(|| {
    let mut tables = Tables::default();
    for (head, texts) in lines() {
        let kind = head.split(' ').next().unwrap_or_default();
        if let Some(words) = tables.of(kind) {
            texts.split(", ").for_each(|text| words.add(text));
        }
    }
    tables
});

pub fn tables() -> &'static Tables {
    &TABLES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_belongs_to_a_table() {
        let mut tables = Tables::default();
        for (head, texts) in lines() {
            let kind = head.split(' ').next().unwrap_or_default();
            assert!(tables.of(kind).is_some() && !texts.trim().is_empty(), "{head}");
        }
    }
}
