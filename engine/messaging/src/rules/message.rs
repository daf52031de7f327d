//! The text of a message: templates are rendered, and every text says how to opt out.

use luci_leads::{Lead, normalise::name};

/// The text of a run without a template.
pub const DEFAULT_TEMPLATE: &str =
    "Hi {firstName}, are you the right person to talk to about {company} in {city}? Reply STOP to opt out.";

const OPT_OUT: &str = "Reply STOP to opt out.";

/// Replaces `{x}` and `{{x}}`, in any case, with the lead's value or a default; unknown variables stay. Appends opt-out
/// wording where the text has none.
pub fn render(template: &str, lead: &Lead) -> String {
    let mut text = String::with_capacity(template.len() + 40);
    let mut rest = template;
    while let Some(at) = rest.find('{') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let double = rest.starts_with("{{");
        let (open, close) = if double { (2, "}}") } else { (1, "}") };
        let value = rest[open..].find(close).and_then(|end| Some((end, variable(rest[open..][..end].trim(), lead)?)));
        match value {
            Some((end, value)) => {
                text.push_str(&value);
                rest = &rest[open + end + close.len()..];
            }
            None => {
                text.push_str(&rest[..open]);
                rest = &rest[open..];
            }
        }
    }
    text.push_str(rest);
    with_opt_out(&text)
}

/// Appends opt-out wording where the text has none.
pub fn with_opt_out(text: &str) -> String {
    if mentions_stop(text) { text.to_owned() } else { format!("{} {OPT_OUT}", text.trim_end()) }
}

fn variable(name: &str, lead: &Lead) -> Option<String> {
    let or = |value: &Option<String>, default: &str| Some(value.clone().unwrap_or_else(|| default.to_owned()));
    let city = lead.address.as_ref().and_then(|address| address.city.clone());
    match name.to_ascii_lowercase().as_str() {
        "name" | "firstname" => or(&greeting(lead), "there"),
        "lastname" => or(&lead.who.last_name.as_deref().map(name::cased), ""),
        "fullname" => or(&full_name(lead), "there"),
        "company" | "companyname" => or(&lead.firm.company_name, "your business"),
        "city" => or(&city, "your area"),
        "industry" => or(&lead.firm.industry, "your industry"),
        _ => None,
    }
}

/// The first name; `None` when it is not certain that it is one.
fn greeting(lead: &Lead) -> Option<String> {
    name::greeting(lead.who.first_name.as_deref(), lead.who.contact_name.as_deref())
}

fn full_name(lead: &Lead) -> Option<String> {
    let first = greeting(lead)?;
    Some(match &lead.who.last_name {
        Some(last) => format!("{first} {}", name::cased(last)),
        None => first,
    })
}

/// Whether `STOP` is a word of the text; `nonstop` does not count.
fn mentions_stop(text: &str) -> bool {
    text.split(|c: char| !c.is_alphanumeric()).any(|word| word.eq_ignore_ascii_case("stop"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use luci_leads::lead_id;

    #[test]
    fn nobody_is_greeted_by_a_title_or_by_half_a_name() {
        for (first, last, full, greeted, whole) in [
            ("Ann", "Lee", "", "Ann", "Ann Lee"),
            ("ANN", "LEE", "", "Ann", "Ann Lee"),
            ("Jr.", "Smith", "John Smith, Jr.", "John", "John Smith"),
            ("MD", "Doe", "", "there", "there"),
            ("Dr.", "Lee", "Dr. Lee", "there", "there"),
            ("Ann & Bob", "Lee", "", "there", "there"),
            ("", "", "LEE, ANN M", "Ann", "Ann"),
            ("", "", "Acme Plumbing LLC", "there", "there"),
        ] {
            let some = |text: &str| Some(text).filter(|text| !text.is_empty()).map(str::to_owned);
            let mut lead = Lead::bare(lead_id("import_x", 1), 1, 2);
            (lead.who.first_name, lead.who.last_name, lead.who.contact_name) = (some(first), some(last), some(full));
            assert_eq!(render("Hi {firstName}, STOP", &lead), format!("Hi {greeted}, STOP"), "{first} {last} {full}");
            assert_eq!(render("Hi {fullName}, STOP", &lead), format!("Hi {whole}, STOP"), "{first} {last} {full}");
        }
    }

    #[test]
    fn templates_are_rendered_with_opt_out_wording() {
        let mut lead = Lead::bare(lead_id("import_x", 1), 1, 2);
        let stop = |text: &str| format!("{text} Reply STOP to opt out.");
        assert_eq!(render("Hi {name} of {{ Company }}", &lead), stop("Hi there of your business"));
        lead.who.first_name = Some("Ann".into());
        lead.firm.company_name = Some("Acme {city}".into());
        assert_eq!(render("Hi {FIRSTNAME} of {{company}}!", &lead), stop("Hi Ann of Acme {city}!"));
        assert_eq!(render("{unknown} {", &lead), stop("{unknown} {"));
        assert_eq!(render("Stop? Text stop.", &lead), "Stop? Text stop.");
        assert_eq!(render("Nonstop", &lead), stop("Nonstop"));
        assert!(render(DEFAULT_TEMPLATE, &lead).starts_with("Hi Ann, are you"));
    }
}
