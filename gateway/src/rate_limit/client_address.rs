//! The address that a request comes from. What a header says of it counts only as far as known proxies wrote it.

use std::{
    net::{IpAddr, Ipv6Addr, SocketAddr},
    str::FromStr,
};

use http::HeaderMap;

/// The proxies between callers and the gateway. Each adds the address of its own client to the end of a header; what is before
/// their entries came from the caller, who can write anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Proxies {
    /// None: headers are ignored.
    #[default]
    None,
    /// That many, which write `X-Forwarded-For`.
    ForwardedFor(usize),
    /// That many, which write `Forwarded` (RFC 7239).
    Forwarded(usize),
}

impl FromStr for Proxies {
    type Err = ();
    /// `2` or `forwarded:2`
    fn from_str(text: &str) -> Result<Self, ()> {
        let (standard, count) = match text.strip_prefix("forwarded:") {
            Some(count) => (true, count),
            None => (false, text),
        };
        match (count.parse::<u8>().map_err(|_| ())?.into(), standard) {
            (0, _) => Ok(Self::None),
            (count, true) => Ok(Self::Forwarded(count)),
            (count, false) => Ok(Self::ForwardedFor(count)),
        }
    }
}

impl Proxies {
    /// The client of the outermost proxy. The address of the connection, if a header has fewer entries than there are proxies
    /// (the request came past them), or no address where the client's should be.
    pub fn client(self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let (name, count) = match self {
            Self::None => return peer,
            Self::ForwardedFor(count) => ("x-forwarded-for", count),
            Self::Forwarded(count) => ("forwarded", count),
        };
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        let entries: Vec<&str> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        let entry = entries.len().checked_sub(count).and_then(|at| entries.get(at));
        let address = match self {
            Self::Forwarded(_) => entry.and_then(|entry| forwarded_for(entry)),
            _ => entry.copied(),
        };
        address.and_then(parse).unwrap_or(peer)
    }
}

/// The `for` of an element of `Forwarded`.
fn forwarded_for(element: &str) -> Option<&str> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    pairs.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("for")).map(|(_, value)| value.trim())
}

/// An address with or without a port: `192.0.2.1:80`, `"[2001:db8::1]:80"`, `2001:db8::1`.
fn parse(text: &str) -> Option<IpAddr> {
    let text = text.trim_matches('"');
    let socket = || text.parse::<SocketAddr>().ok().map(|socket| socket.ip());
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    bare.parse().ok().or_else(socket)
}

/// What counts as one address: of IPv6 a /64, since each host has a whole one.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64)).into(),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    const PEER: &str = "10.0.0.1";

    fn client(proxies: Proxies, headers: &[(&'static str, &'static str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        proxies.client(PEER.parse().unwrap(), &map).to_string()
    }

    #[test]
    fn only_what_the_proxies_wrote_counts() {
        let sent = [("x-forwarded-for", "1.1.1.1, 2.2.2.2"), ("x-forwarded-for", "3.3.3.3")];
        assert_eq!(client(Proxies::None, &sent), PEER);
        assert_eq!(client(Proxies::ForwardedFor(1), &sent), "3.3.3.3");
        assert_eq!(client(Proxies::ForwardedFor(2), &sent), "2.2.2.2");
        assert_eq!(client(Proxies::ForwardedFor(4), &sent), PEER, "past the proxies");
        assert_eq!(client(Proxies::Forwarded(1), &sent), PEER, "the caller's own header");
        let standard = [("forwarded", "for=\"[2001:db8::1]:47\";proto=https, For=192.0.2.7;by=10.0.0.9")];
        assert_eq!(client(Proxies::Forwarded(1), &standard), "192.0.2.7");
        assert_eq!(client(Proxies::Forwarded(2), &standard), "2001:db8::1");
    }

    #[test]
    fn addresses_may_have_ports_and_what_is_none_is_ignored() {
        for (text, found) in [
            ("192.0.2.1:80", "192.0.2.1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1]:80", "2001:db8::1"),
            ("unknown", PEER),
            ("_hidden", PEER),
            ("", PEER),
        ] {
            assert_eq!(client(Proxies::ForwardedFor(1), &[("x-forwarded-for", text)]), found, "{text}");
        }
    }

    #[test]
    fn a_host_is_one_network() {
        let network = |text: &str| super::network(text.parse().unwrap()).to_string();
        assert_eq!(network("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(network("::ffff:192.0.2.1"), "192.0.2.1");
        assert_eq!(network("192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn the_setting_is_a_number_and_perhaps_a_header() {
        assert_eq!("0".parse(), Ok(Proxies::None));
        assert_eq!("2".parse(), Ok(Proxies::ForwardedFor(2)));
        assert_eq!("forwarded:1".parse(), Ok(Proxies::Forwarded(1)));
        for invalid in ["", "-1", "forwarded", "forwarded:", "300", "10.0.0.1"] {
            assert_eq!(invalid.parse::<Proxies>(), Err(()), "{invalid}");
        }
    }
}
