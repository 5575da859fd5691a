//! Whether a form was sent from our own page: the defence of forms against other sites (CSRF).

/// Whether a browser says that the form came from our own page, or the request came from no browser. The values of
/// `Origin` and of `Sec-Fetch-Site` as they came; two of either are nobody's.
///
/// Under `Referrer-Policy: no-referrer` browsers send `Origin: null` with our own form as well, so `null` counts only together with
/// `Sec-Fetch-Site: same-origin`, which no page can forge.
#[must_use]
pub fn is_own_form(origins: &[&str], fetch_sites: &[&str], own_origin: &str) -> bool {
    match (fetch_sites, origins) {
        ([], []) => true,
        ([], [origin]) => *origin == own_origin,
        (["same-origin"], [] | ["null"]) => true,
        (["same-origin"], [origin]) => *origin == own_origin,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_comes_from_our_page_or_from_no_browser() {
        let own = "https://id.example";
        let table: [(&[&str], &[&str], bool); 12] = [
            (&[], &[], true),
            (&[], &["https://id.example"], true),
            (&[], &["https://evil.test"], false),
            (&[], &["null"], false),
            (&["same-origin"], &["null"], true),
            (&["same-origin"], &["https://id.example"], true),
            (&["same-origin"], &["https://evil.test"], false),
            (&["same-site"], &[], false),
            (&["cross-site"], &["null"], false),
            (&["none"], &[], false),
            (&[], &["https://id.example", "https://id.example"], false),
            (&["same-origin", "same-origin"], &[], false),
        ];
        for (site, origin, expected) in table {
            assert_eq!(is_own_form(origin, site, own), expected, "{site:?} {origin:?}");
        }
    }
}
