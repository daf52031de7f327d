//! The content security policy of the dashboard: our own files, our own WebSocket, the bucket to which the page uploads, and nothing
//! else.

use url::Url;

use crate::{App, request::Request};

/// The policy of a page. Not every browser's `'self'` includes the WebSocket of the same host, so it is named.
pub fn policy(app: &App, request: &Request) -> String {
    let socket = if app.options.tls { "wss" } else { "ws" };
    let public = app.options.public_url.as_deref().and_then(host_of);
    let mut hosts: Vec<String> = public.into_iter().chain(request.header("host").and_then(plain)).collect();
    hosts.dedup();
    let sockets: String = hosts.iter().map(|host| format!(" {socket}://{host}")).collect();
    let bucket = app.storage.bucket_origin().map(|origin| format!(" {origin}")).unwrap_or_default();
    let upgrade = if app.options.tls { "; upgrade-insecure-requests" } else { "" };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
         connect-src 'self'{sockets}{bucket}; form-action 'self'; base-uri 'none'; frame-ancestors 'none'{upgrade}"
    )
}

/// Host and port, if the port is not the usual one.
fn host_of(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let host = url.host_str()?;
    Some(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
}

/// A host that has no meaning in a policy but that of a host.
fn plain(host: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '[' | ']');
    (!host.is_empty() && host.chars().all(plain)).then(|| host.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{host_of, plain};

    #[test]
    fn hosts_are_hosts() {
        assert_eq!(host_of("https://luci.example/x").as_deref(), Some("luci.example"));
        assert_eq!(host_of("http://[::1]:8080").as_deref(), Some("[::1]:8080"));
        assert_eq!(plain("127.0.0.1:8080").as_deref(), Some("127.0.0.1:8080"));
        for other in ["", "a; script-src *", "a b", "*", "a,b"] {
            assert_eq!(plain(other), None, "{other:?}");
        }
    }
}
