//! Proxies in front of the server. Their headers tell the address of the client and whether the client uses HTTPS. They count
//! only if the connection comes from a listed proxy, because anybody can send them. They never replace a token.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName};
use ipnet::IpNet;

/// Headers that a proxy adds to requests of other clients. All headers that begin with `X-Forwarded` count too.
const FORWARDED: [&str; 9] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "x-original-forwarded-for",
    "x-envoy-external-address",
    "true-client-ip",
    "cf-connecting-ip",
];
/// Most entries of a list of addresses that are read, from the end.
const MOST_ENTRIES: usize = 32;

/// Whether a request came through a proxy.
pub(super) fn is_forwarded(headers: &HeaderMap) -> bool {
    headers
        .keys()
        .map(HeaderName::as_str)
        .any(|name| name.starts_with("x-forwarded") || FORWARDED.contains(&name))
}

/// The address of a proxy, or of a network of proxies: `127.0.0.1`, `10.1.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrustedProxy(IpNet);

impl FromStr for TrustedProxy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let plain = text.parse::<IpAddr>().map(IpNet::from).ok();
        plain.or_else(|| text.parse().ok()).map(Self).ok_or_else(|| {
            format!("`{text}` is not the address of a proxy: allowed are addresses and networks (`127.0.0.1`, `10.1.0.0/16`)")
        })
    }
}

/// Who sent a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sidecar) struct Client {
    pub(in crate::sidecar) address: IpAddr,
    pub(in crate::sidecar) is_https: bool,
}

impl Client {
    /// The client behind a connection from `peer`.
    pub(super) fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[TrustedProxy]) -> Self {
        let is_proxy = |address: IpAddr| trusted.iter().any(|proxy| proxy.0.contains(&address));
        let peer = peer.to_canonical();
        if !is_proxy(peer) {
            return Self { address: peer, is_https: false };
        }
        let hops = Hops::of(headers);
        // Each proxy adds the address from which it got the request. The last one that is no proxy is the client.
        let address =
            hops.addresses.into_iter().find(|address| address.is_none_or(|address| !is_proxy(address)));
        Self { address: address.flatten().unwrap_or(peer), is_https: hops.is_https }
    }
}

/// What the headers of proxies say.
#[derive(Debug, Default)]
struct Hops {
    /// The last first; `None` for a name instead of an address.
    addresses: Vec<Option<IpAddr>>,
    is_https: bool,
}

impl Hops {
    /// `X-Forwarded-…` takes precedence over `Forwarded`.
    fn of(headers: &HeaderMap) -> Self {
        let addresses = last_first(headers, "x-forwarded-for", ',');
        let protocol = last_first(headers, "x-forwarded-proto", ',').into_iter().next();
        if !addresses.is_empty() || protocol.is_some() {
            return Self {
                addresses: addresses.iter().map(|text| address(text)).collect(),
                is_https: protocol.is_some_and(|text| text.eq_ignore_ascii_case("https")),
            };
        }
        let hops = last_first(headers, "forwarded", ',');
        let is_https = hops.first().and_then(|hop| value(hop, "proto"));
        let addresses = hops.iter().filter_map(|hop| value(hop, "for")).map(|text| address(&text));
        Self {
            addresses: addresses.collect(),
            is_https: is_https.is_some_and(|text| text.eq_ignore_ascii_case("https")),
        }
    }
}

/// The entries of a list in headers of one name, the last first.
fn last_first(headers: &HeaderMap, name: &str, separator: char) -> Vec<String> {
    let texts = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    let entries: Vec<&str> = texts.flat_map(|text| text.split(separator)).map(str::trim).collect();
    entries.into_iter().rev().take(MOST_ENTRIES).map(str::to_owned).collect()
}

/// The value of a field in an entry of `Forwarded`: `for="[2001:db8::1]:4711";proto=https`.
fn value(hop: &str, field: &str) -> Option<String> {
    let pairs = hop.split(';').filter_map(|pair| pair.split_once('='));
    let found = pairs.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case(field));
    found.map(|(_, value)| value.trim().trim_matches('"').to_owned())
}

/// An address with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let alone = text.trim_start_matches('[').trim_end_matches(']').parse().ok();
    let address: Option<IpAddr> = alone.or_else(|| text.parse().ok().map(|with: SocketAddr| with.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, pairs: &[(&'static str, &str)]) -> (String, bool) {
        let trusted = ["127.0.0.1", "10.1.0.0/16"].map(|text| text.parse().unwrap());
        let headers =
            pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        let client = Client::of(peer.parse().unwrap(), &headers.collect(), &trusted);
        (client.address.to_string(), client.is_https)
    }

    #[test]
    fn headers_count_only_from_listed_proxies() {
        let headers = [("x-forwarded-for", "192.0.2.1, 10.1.2.3"), ("x-forwarded-proto", "https")];
        assert_eq!(client("127.0.0.1", &headers), ("192.0.2.1".to_owned(), true));
        assert_eq!(client("::ffff:127.0.0.1", &headers), ("192.0.2.1".to_owned(), true));
        assert_eq!(client("127.0.0.2", &headers), ("127.0.0.2".to_owned(), false));
    }

    #[test]
    fn the_client_is_the_last_address_that_is_no_proxy() {
        let of = |text| client("127.0.0.1", &[("x-forwarded-for", text)]).0;
        assert_eq!(of("1.1.1.1, 192.0.2.7:4711, 10.1.9.9"), "192.0.2.7");
        assert_eq!(of("[2001:db8::1]:80"), "2001:db8::1");
        assert_eq!(of("1.1.1.1, unknown"), "127.0.0.1", "a name is no address");
        assert_eq!(of("10.1.1.1"), "127.0.0.1");
        let forwarded = [("forwarded", "for=1.1.1.1;proto=http, For=\"[2001:db8::2]:47\";proto=HTTPS;by=x")];
        assert_eq!(client("10.1.0.1", &forwarded), ("2001:db8::2".to_owned(), true));
    }

    #[test]
    fn what_is_no_address_and_no_network_is_refused() {
        for wrong in ["", "proxy", "10.1.0.0/33", "10.1.0.0/16/8", "127.0.0.1:80"] {
            assert!(wrong.parse::<TrustedProxy>().unwrap_err().contains("10.1.0.0/16"), "{wrong}");
        }
    }
}
