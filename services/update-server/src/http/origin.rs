//! Where a request was made: by a page of which site, to which name of this server, through what.

use axum::http::{HeaderMap, header};

/// What a request is told that [`is_local`] does not let in.
pub(crate) const NOT_LOCAL: &str = "authentication is off, so only requests are answered that name this server's own address, \
                                    and that no proxy and no page of another site has sent; start with `--authentication required` \
                                    for any others";

/// Headers that proxies add.
const PROXIED: [&str; 4] = ["forwarded", "via", "x-forwarded-for", "x-forwarded-host"];

/// Whether somebody on this machine may have sent a request, rather than another site through their browser, or anybody through
/// a proxy. A server that asks nobody who they are obeys no others.
pub(crate) fn is_local(headers: &HeaderMap, base_url: Option<&str>) -> bool {
    same_site(headers) && is_direct(headers, base_url)
}

/// Whether a request names this server, and no proxy has passed it on.
pub(crate) fn is_direct(headers: &HeaderMap, base_url: Option<&str>) -> bool {
    is_own_host(headers, base_url) && !PROXIED.iter().any(|name| headers.contains_key(*name))
}

/// Whether a request names this server by its loopback address or the configured one. A server that asks nobody who they
/// are would otherwise obey a page whose name its owner lets point to 127.0.0.1.
fn is_own_host(headers: &HeaderMap, base_url: Option<&str>) -> bool {
    let Some(host) = headers.get(header::HOST) else { return true };
    let host = host.to_str().unwrap_or_default();
    let Ok(named) = url::Url::parse(&format!("http://{host}/")) else { return false };
    let base = base_url.and_then(|base| url::Url::parse(base).ok());
    match named.host() {
        Some(url::Host::Ipv4(address)) if address.is_loopback() => true,
        Some(url::Host::Ipv6(address)) if address.is_loopback() => true,
        Some(url::Host::Domain("localhost")) => true,
        other => base.is_some_and(|base| base.host() == other),
    }
}

/// Whether a request was sent by no page at all, or by one of this server. Browsers say where a request comes from.
pub fn same_site(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match (text("origin"), text("host")) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            origin.split_once("://").is_some_and(|(_, from)| from == host)
        }
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn a_server_without_authentication_obeys_only_its_own_names() {
        let check = |host: &'static str, base| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static(host));
            is_own_host(&headers, base)
        };
        for own in ["127.0.0.1:8000", "localhost:8000", "[::1]:8000", "127.8.8.8"] {
            assert!(check(own, None), "{own}");
        }
        for other in ["rebound.example:8000", "10.0.0.1", "localhost.example", "", "a b"] {
            assert!(!check(other, None), "{other}");
        }
        assert!(check("updates.example", Some("https://updates.example")));
        assert!(!check("other.example", Some("https://updates.example")));
        assert!(is_own_host(&HeaderMap::new(), None));
    }

    #[test]
    fn what_a_page_or_a_proxy_sends_is_not_local() {
        let check = |added: &[(&'static str, &'static str)], expected| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("127.0.0.1:8000"));
            for (name, value) in added {
                headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
            }
            assert_eq!(is_local(&headers, None), expected, "{added:?}");
        };
        check(&[], true);
        check(&[("sec-fetch-site", "same-origin")], true);
        check(&[("origin", "http://127.0.0.1:8000")], true);
        check(&[("sec-fetch-site", "cross-site")], false);
        check(&[("sec-fetch-site", "same-site")], false);
        check(&[("origin", "https://evil.example")], false);
        check(&[("origin", "null")], false);
        check(&[("host", "evil.example")], false);
        for proxied in PROXIED {
            check(&[(proxied, "")], false);
            check(&[("sec-fetch-site", "same-origin"), (proxied, "127.0.0.1")], false);
        }
    }
}
