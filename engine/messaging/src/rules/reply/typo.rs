//! Whether a word may be another one that was mistyped.

/// Whether one letter is missing, added, replaced, or two neighbours are exchanged.
pub fn one_edit(word: &str, known: &str) -> bool {
    let (word, known): (Vec<char>, Vec<char>) = (word.chars().collect(), known.chars().collect());
    let first = word.iter().zip(&known).take_while(|(a, b)| a == b).count();
    let (rest, other) = (&word[first..], &known[first..]);
    match (rest, other) {
        ([], []) => false,
        ([a, b, left @ ..], [c, d, right @ ..]) if (a, b) == (d, c) && left == right => true,
        ([_, left @ ..], [_, right @ ..]) if left == right => true,
        ([_, left @ ..], _) if left == other => true,
        (_, [_, right @ ..]) if rest == right => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_letter_is_wrong() {
        for word in ["stp", "stopp", "srtop", "tsop", "sotp", "xtop", "stox"] {
            assert!(one_edit(word, "stop"), "{word}");
        }
        for word in ["stop", "", "st", "pots", "sxyp", "stoppp"] {
            assert!(!one_edit(word, "stop"), "{word}");
        }
    }
}
