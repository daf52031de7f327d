//! The two ends of a message as carriers write them: phone numbers, short codes, messaging services.

use luci_leads::normalise::phone;

/// What carriers put before a number on other channels.
const CHANNELS: [&str; 6] = ["whatsapp:", "rcs:", "sms:", "mms:", "tel:", "messenger:"];

/// The number that a message came from: E.164, or a short code's digits.
pub fn number(text: &str) -> Option<String> {
    let text = without_channel(text);
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let written = text.chars().all(|c| c.is_ascii_digit() || " +-().".contains(c));
    let foreign = text.starts_with('+') && !digits.starts_with('1');
    match digits.len() {
        8..=15 if written && foreign => Some(format!("+{digits}")),
        3..8 if digits == text => Some(digits),
        // Some carriers leave the plus sign out.
        11..=15 if digits == text && !text.starts_with(['0', '1']) => Some(format!("+{digits}")),
        _ if foreign => None,
        _ => phone::normalise(text),
    }
}

/// What a tenant sends from and receives at: a number, a short code, or a messaging service (`MG` and 32 hex digits).
pub fn receiver(text: &str) -> Option<String> {
    let text = text.trim();
    let service = |id: &str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    match text.get(..2) {
        Some(prefix) if prefix.eq_ignore_ascii_case("mg") && service(&text[2..]) => {
            Some(format!("MG{}", text[2..].to_ascii_lowercase()))
        }
        _ => number(text),
    }
}

/// Whether the receiver is a messaging service: the carrier chooses the number.
pub fn is_service(receiver: &str) -> bool {
    receiver.starts_with("MG")
}

fn without_channel(text: &str) -> &str {
    let text = text.trim();
    let found =
        CHANNELS.iter().find(|channel| text.get(..channel.len()).is_some_and(|s| s.eq_ignore_ascii_case(channel)));
    found.map_or(text, |channel| text[channel.len()..].trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_of_a_message() {
        let service = format!("MG{}", "0a".repeat(16));
        for (text, found) in [
            ("+19175550101", Some("+19175550101")),
            ("917-555-0101", Some("+19175550101")),
            ("whatsapp:+19175550101", Some("+19175550101")),
            ("+6582345678", Some("+6582345678")),
            ("+44 20 7946 0958", Some("+442079460958")),
            ("72345", Some("72345")),
            ("447911123456", Some("+447911123456")),
            ("8613812345678", Some("+8613812345678")),
            ("19175550101", Some("+19175550101")),
            ("266696687", None),
            ("", None),
            ("anonymous", None),
            ("+4420", None),
        ] {
            assert_eq!(number(text).as_deref(), found, "{text}");
        }
        assert_eq!(receiver(&service.to_uppercase()).as_deref(), Some(service.as_str()));
        assert!(is_service(&service) && !is_service("72345"));
        assert_eq!(receiver("MG12"), None);
    }
}
