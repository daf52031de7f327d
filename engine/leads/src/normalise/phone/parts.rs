//! A cell cut into parts that separators divide, each with one number or several.

/// `=TEXT(2125550147,"0")` → `(2125550147,"0")`
pub(super) fn without_function(text: &str) -> &str {
    let inner = text.strip_prefix('=').map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_alphabetic()));
    inner.filter(|rest| rest.starts_with('(')).unwrap_or(text)
}

/// Splits at line ends, `|`, `:::` and semicolons; parameters of `tel:` become words.
pub(super) fn parts(text: &str) -> Vec<String> {
    let mut text = text.replace(":::", "\n");
    if text.contains('=') {
        text = with_parameters(&text);
    }
    let parts = text.split(['\n', '\r', '|', ';', '\t']).map(str::trim).filter(|part| !part.is_empty());
    parts.map(str::to_owned).collect()
}

/// `tel:+1-212-555-0148;ext=136` → `tel:+1-212-555-0148 ext 136`; other parameters are dropped.
fn with_parameters(text: &str) -> String {
    let mut pieces = text.split(';');
    let mut out = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once('=') {
            Some((name, value)) if name.trim().eq_ignore_ascii_case("ext") => {
                let at = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
                out.push_str(&format!(" ext {}\n{}", &value[..at], &value[at..]));
            }
            Some((name, value))
                if name.trim().eq_ignore_ascii_case("phone-context") && value.trim().starts_with('+') =>
            {
                let at = out.rfind([':', '\n']).map_or(0, |at| at + 1);
                out.insert_str(at, &format!("{} ", value.trim()));
            }
            Some((name, _))
                if !name.trim().is_empty() && name.trim().bytes().all(|b| b.is_ascii_alphabetic() || b == b'-') => {}
            _ => {
                out.push('\n');
                out.push_str(piece);
            }
        }
    }
    out
}
