//! Any reply: the class does not depend on case, and an opt-out keyword in it is never read as interest.

#![no_main]

use libfuzzer_sys::fuzz_target;
use luci_messaging::rules::reply::{ReplyClass, classify};

const KEYWORDS: [&str; 6] = ["stop", "unsubscribe", "cancel", "quit", "revoke", "optout"];

fuzz_target!(|input: (u8, &str)| {
    let (choice, text) = input;
    let reply = classify(text, None);
    assert!(reply.rule.starts_with(reply.kind.as_str()), "{}", reply.rule);
    let keyword = KEYWORDS[usize::from(choice) % KEYWORDS.len()];
    // A message that consists of a keyword is an opt-out, however it is dressed.
    assert_eq!(classify(&format!(" {keyword}! "), None).class, ReplyClass::OptOut);
    // Before anything else is said, also before a quoted message, it is never read as interest.
    assert_ne!(classify(&format!("{keyword}\n{text}"), None).class, ReplyClass::Interest, "{keyword} and {text:?}");
});
