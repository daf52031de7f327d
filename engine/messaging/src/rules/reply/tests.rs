//! The order of the rules, and what no message may do.

use super::*;

#[test]
fn the_carrier_s_verdict_comes_first() {
    let reply = classify("ya no mas", Some(CarrierVerdict::Stop));
    assert_eq!((reply.class, reply.kind), (ReplyClass::OptOut, RuleKind::Carrier));
    assert_eq!(classify("STOP", Some(CarrierVerdict::Start)).class, ReplyClass::Resubscribe);
    assert_eq!(classify("INFO", Some(CarrierVerdict::Help)).class, ReplyClass::Question);
    assert_eq!(CarrierVerdict::parse(" stop "), Some(CarrierVerdict::Stop));
    assert_eq!(CarrierVerdict::parse("none"), None);
}

#[test]
fn a_message_with_a_stop_word_is_never_interest() {
    let stops = ["stop", "STOP", "unsubscribe", "cancel", "end", "quit", "opt out", "Ｓｔｏｐ", "s\u{200b}top"];
    let interested = ["yes", "I'm interested", "sure, call me", "tell me more", "sounds good", "sí claro"];
    for stop in stops {
        for yes in interested {
            for text in [
                format!("{yes} {stop}"),
                format!("{stop} {yes}"),
                format!("{yes}. {stop}"),
                format!("{yes}, but {stop} it"),
            ] {
                let class = classify(&text, None).class;
                assert!(matches!(class, ReplyClass::OptOut | ReplyClass::Hold), "{text}: {}", class.as_str());
            }
        }
    }
}

#[test]
fn an_opt_out_after_a_quoted_message_counts() {
    for text in [
        "> Hi Ann, reply STOP to opt out\nSTOP",
        "STOP\n> Hi Ann, reply STOP to opt out",
        "STOP\n\nOn Mon, 2 Nov 2026 Acme wrote:\n> Hi Ann",
        "Hi Ann, are you the right person? Reply STOP to opt out. STOP",
    ] {
        assert_eq!(classify(text, None).class, ReplyClass::OptOut, "{text}");
    }
    assert_eq!(classify("Liked “Hi Ann” STOP", None).class, ReplyClass::Hold);
    assert_eq!(classify("he said “please stop texting my wife at work”", None).class, ReplyClass::Hold);
    assert_eq!(classify("> Hi Ann, reply STOP to opt out", None).class, ReplyClass::Unclear);
}

#[test]
fn damaged_texts_still_opt_out() {
    for text in ["STOP\u{fffd}", "STOP \u{fffd}", "\u{feff}STOP", "STOP\u{0}", "stop\u{200d}", "🛑 STOP 🛑", "STOP 😡"]
    {
        let class = classify(text, None).class;
        assert!(matches!(class, ReplyClass::OptOut | ReplyClass::Hold), "{text:?}: {}", class.as_str());
    }
    assert_eq!(classify("STOP \u{fffd}", None).class, ReplyClass::OptOut);
    assert_eq!(classify("", None).class, ReplyClass::Unclear);
}

#[test]
fn an_address_is_captured_in_its_normal_form() {
    assert_eq!(classify("mail: Ann@Acme.COM!", None).class, ReplyClass::EmailCaptured("ann@acme.com".into()));
}

#[test]
fn a_rule_holds_no_word_of_the_message() {
    for text in ["please stop, Annabel", "lose my number you fool", "End of the month works for Annabel"] {
        assert!(!classify(text, None).rule.contains("abel"), "{text}");
        assert!(!classify(text, None).rule.contains("fool"), "{text}");
    }
}
