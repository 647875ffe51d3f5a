//! Addresses on a server: their origin, the targets of redirects, and the escaping of names.

use std::fmt::Write as _;
use ureq::http::Uri;

/// Returns scheme, host and port.
pub(super) fn origin(url: &Uri) -> (String, String, u16) {
    let scheme = url.scheme_str().unwrap_or_default().to_ascii_lowercase();
    let port = url.port_u16().unwrap_or(if scheme == "https" { 443 } else { 80 });
    (scheme, url.host().unwrap_or_default().to_ascii_lowercase(), port)
}

/// Returns the target of a redirect from `base`.
pub(super) fn resolve(base: &Uri, location: &str) -> String {
    let scheme = base.scheme_str().unwrap_or("https");
    let authority = base.authority().map_or("", |authority| authority.as_str());
    if location.contains("://") {
        location.to_owned()
    } else if location.starts_with("//") {
        format!("{scheme}:{location}")
    } else if location.starts_with('/') {
        format!("{scheme}://{authority}{location}")
    } else {
        let folder = base.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{authority}{folder}/{location}")
    }
}

/// Percent-encodes characters that may not stand in a path; `/` too, unless it is kept as a separator.
pub(super) fn escape(text: &str, keep_slashes: bool) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        let plain = byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~');
        if plain || (keep_slashes && byte == b'/') {
            out.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_leads_where_it_says() {
        let base: Uri = "https://hub.example:8443/a/b/resolve/main/f?x=1".parse().unwrap();
        assert_eq!(resolve(&base, "https://cdn.example/f"), "https://cdn.example/f");
        assert_eq!(resolve(&base, "//cdn.example/f"), "https://cdn.example/f");
        assert_eq!(resolve(&base, "/c/d"), "https://hub.example:8443/c/d");
        assert_eq!(resolve(&base, "g"), "https://hub.example:8443/a/b/resolve/main/g");
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let of = |url: &str| origin(&url.parse().unwrap());
        assert_eq!(of("https://Hub.example/x"), of("https://hub.example:443/y"));
        assert_ne!(of("https://hub.example"), of("http://hub.example"));
        assert_ne!(of("http://hub.example:1"), of("http://hub.example:2"));
        assert_ne!(of("https://hub.example@evil.example/"), of("https://hub.example/"));
    }

    #[test]
    fn names_are_escaped_for_an_address() {
        assert_eq!(escape("refs/pr/3", false), "refs%2Fpr%2F3");
        assert_eq!(escape("a b/c#d?é", true), "a%20b/c%23d%3F%C3%A9");
    }
}
