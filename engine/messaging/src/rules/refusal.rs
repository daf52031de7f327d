//! What a carrier's error code says: whether the recipient, the sender or the carrier itself is at fault.
//!
//! Codes after Twilio's public error dictionary (twilio.com/docs/api/errors, read 2026-11); SignalHouse passes on the codes of
//! the carriers below it, which are the same. An unknown code says nothing.

/// Who is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    Recipient(RecipientFault),
    /// The sending number must not send until a person has looked at it.
    Sender,
    /// The carrier: the same message may be sent later.
    Outage,
}

/// What is wrong with a recipient.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecipientFault {
    /// Has replied STOP to the carrier.
    OptedOut,
    /// No such number, or none that takes messages.
    Invalid,
    /// Switched off or out of reach for now.
    Unreachable,
}

impl RecipientFault {
    /// How long the number is not contacted, in days; none: for good.
    pub const fn days(self) -> Option<i64> {
        match self {
            Self::OptedOut | Self::Invalid => None,
            Self::Unreachable => Some(7),
        }
    }
}

const FAULTS: &[(&str, Fault)] = &[
    // Recipients.
    ("21610", Fault::Recipient(RecipientFault::OptedOut)),
    ("21211", Fault::Recipient(RecipientFault::Invalid)),
    ("21214", Fault::Recipient(RecipientFault::Invalid)),
    ("21217", Fault::Recipient(RecipientFault::Invalid)),
    ("21614", Fault::Recipient(RecipientFault::Invalid)),
    ("21635", Fault::Recipient(RecipientFault::Invalid)),
    ("30003", Fault::Recipient(RecipientFault::Unreachable)),
    ("30004", Fault::Recipient(RecipientFault::Unreachable)),
    ("30005", Fault::Recipient(RecipientFault::Invalid)),
    ("30006", Fault::Recipient(RecipientFault::Invalid)),
    // Senders.
    ("21212", Fault::Sender),
    ("21606", Fault::Sender),
    ("21659", Fault::Sender),
    ("21660", Fault::Sender),
    ("21703", Fault::Sender),
    ("21704", Fault::Sender),
    ("30002", Fault::Sender),
    ("30007", Fault::Sender),
    ("30024", Fault::Sender),
    ("30032", Fault::Sender),
    ("30033", Fault::Sender),
    ("30034", Fault::Sender),
    // Outages and limits of the carrier.
    ("14107", Fault::Outage),
    ("20429", Fault::Outage),
    ("20500", Fault::Outage),
    ("20503", Fault::Outage),
    ("21611", Fault::Outage),
    ("30001", Fault::Outage),
    ("30022", Fault::Outage),
    ("30023", Fault::Outage),
    ("30027", Fault::Outage),
    ("63038", Fault::Outage),
];

/// The fault of a code; none for a code that is not in the table.
pub fn fault(code: &str) -> Option<Fault> {
    // Some carriers write words beside it: `30007 - Carrier violation`.
    let mut codes = code.split(|c: char| !c.is_ascii_digit()).filter(|digits| (4..=6).contains(&digits.len()));
    codes.find_map(|code| FAULTS.iter().find(|(known, _)| *known == code)).map(|(_, fault)| *fault)
}

/// The vendor's code in the body of a refusal, also where the body was cut: `{"code":21610,…`.
pub fn code_in(body: &str) -> Option<String> {
    const NAMES: [&str; 4] = ["\"code\"", "\"error_code\"", "\"errorCode\"", "\"ErrorCode\""];
    NAMES.iter().find_map(|name| {
        let after = body.split_once(name)?.1.trim_start().strip_prefix(':')?.trim_start();
        let digits: String = after.trim_start_matches('"').chars().take_while(char::is_ascii_digit).collect();
        (4..=6).contains(&digits.len()).then_some(digits)
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_table_tells_recipient_sender_and_carrier_apart() {
        for code in ["21610", "21211", "21614", "30003", "30005", "30006"] {
            assert!(matches!(fault(code), Some(Fault::Recipient(_))), "{code}");
        }
        for code in ["21606", "30007", "30034"] {
            assert_eq!(fault(code), Some(Fault::Sender), "{code}");
        }
        let recipient = Some(Fault::Recipient(RecipientFault::OptedOut));
        assert_eq!(
            (fault("Error 21610"), fault("30007 - Carrier violation"), fault("21610.0")),
            (recipient, Some(Fault::Sender), recipient)
        );
        assert_eq!((fault("20503"), fault("30008"), fault("")), (Some(Fault::Outage), None, None));
        assert_eq!(FAULTS.iter().map(|(code, _)| code).collect::<BTreeSet<_>>().len(), FAULTS.len(), "each once");
    }

    #[test]
    fn a_code_is_found_in_a_whole_and_in_a_cut_body() {
        for (body, code) in [
            (r#"{"code":21610,"message":"Attempt to send to unsubscribed recipient","status":400}"#, Some("21610")),
            (r#"{"code": 21211, "message": "The 'To' num"#, Some("21211")),
            (r#"{"status":400,"error_code":"30006"}"#, Some("30006")),
            (r#"{"code":"bad_request"}"#, None),
            ("Bad Gateway", None),
        ] {
            assert_eq!(code_in(body).as_deref(), code, "{body}");
        }
    }
}
