//! Headers that tell a browser what it may do with an answer.

use http::{HeaderMap, HeaderValue, header};

/// What an answer may load that is no page: nothing.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";
/// A year, as browsers' lists ask for. Subdomains are other people's servers.
const HTTPS_ONLY: &str = "max-age=31536000";

/// The headers of every answer.
#[derive(Debug, Clone, Copy)]
pub struct SecurityHeaders {
    /// Whether callers connect over TLS.
    pub tls: bool,
}

impl SecurityHeaders {
    /// A page has set its own policy already.
    pub fn add_to(self, headers: &mut HeaderMap) {
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(HeaderValue::from_static(NO_PAGE));
        if self.tls {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(HTTPS_ONLY));
        }
    }
}
