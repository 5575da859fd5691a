//! Which host and which path a request is for, when the two places that may say so agree.

use http::header::{CONTENT_LENGTH, HOST, HeaderMap, TRANSFER_ENCODING};
use http::{HeaderValue, Request, Version};
use policy::Denial;

/// The one host that a request names.
///
/// # Errors
/// 400 when there is none, more than one, an odd one, or when the request target names another (RFC 9112 section 3.2,
/// RFC 9113 section 8.3.1).
pub(crate) fn one_host<B>(request: &Request<B>) -> Result<HeaderValue, Denial> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let (header, another) = (hosts.next(), hosts.next());
    if another.is_some() {
        return Err(malformed("more than one Host"));
    }
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let host = match (header, authority) {
        (Some(host), Some(authority)) if !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes()) => {
            return Err(malformed("Host and the request target name two hosts"));
        }
        (Some(host), _) => host.clone(),
        (None, Some(authority)) if request.version() == Version::HTTP_2 => {
            HeaderValue::from_str(authority).map_err(|_| malformed("the authority is no host"))?
        }
        (None, _) => return Err(malformed("no Host")),
    };
    if is_host(host.as_bytes()) { Ok(host) } else { Err(malformed("Host is no host name")) }
}

/// Whether the body's length is said in one way: chunked, once, or one Content-Length (RFC 9112 section 6). Both together, and
/// one length said twice alike, are tolerated by the parser, which forwards one request.
pub(crate) fn is_framed_once(headers: &HeaderMap) -> bool {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    let chunked = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    };
    chunked && headers.get_all(CONTENT_LENGTH).iter().nth(1).is_none()
}

/// The request target as policy reads it: path and query. The forms that have no path give what is refused as
/// ambiguous.
pub(crate) fn target<B>(request: &Request<B>) -> &str {
    let uri = request.uri();
    match uri.path_and_query() {
        Some(target) => target.as_str(),
        None if uri.scheme().is_some() => "/",
        None => "",
    }
}

/// Name or address, and perhaps a port.
fn is_host(host: &[u8]) -> bool {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let port = |rest: &[u8]| match rest {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if let [b'[', rest @ ..] = host {
        let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
        let (address, behind) = rest.split_at(end);
        let address = address.iter().all(|byte| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.'));
        return end > 0 && address && behind.get(1..).is_some_and(port);
    }
    let end = host.iter().position(|byte| *byte == b':').unwrap_or(host.len());
    let (name, behind) = host.split_at(end);
    !name.is_empty() && name.iter().all(in_name) && port(behind)
}

fn malformed(reason: &str) -> Denial {
    Denial::Malformed { reason: reason.to_owned(), credentials: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(version: Version, uri: &str, hosts: &[&str]) -> Option<String> {
        let mut request = Request::new(());
        *request.version_mut() = version;
        *request.uri_mut() = uri.parse().unwrap();
        for host in hosts {
            request.headers_mut().append(HOST, HeaderValue::from_str(host).unwrap());
        }
        one_host(&request).ok().map(|host| host.to_str().unwrap().to_owned())
    }

    #[test]
    fn rfc9112_3_2_exactly_one_host() {
        use Version as V;
        for (version, uri, hosts, wanted) in [
            (V::HTTP_11, "/", &["a.example"][..], Some("a.example")),
            (V::HTTP_11, "/", &["a.example:8080"], Some("a.example:8080")),
            (V::HTTP_11, "/", &["[::1]:8080"], Some("[::1]:8080")),
            (V::HTTP_11, "/", &[], None),
            (V::HTTP_10, "/", &[], None),
            (V::HTTP_10, "/", &["a"], Some("a")),
            (V::HTTP_11, "/", &["a", "a"], None),
            (V::HTTP_11, "/", &["a", "b"], None),
            (V::HTTP_11, "/", &[""], None),
            (V::HTTP_11, "/", &["a, b"], None),
            (V::HTTP_11, "/", &["a/b"], None),
            (V::HTTP_11, "/", &["u@a"], None),
            (V::HTTP_11, "/", &["a:b"], None),
            (V::HTTP_11, "/", &["[::1"], None),
            (V::HTTP_11, "/", &["[::1]x"], None),
            (V::HTTP_11, "http://a/", &["a"], Some("a")),
            (V::HTTP_11, "http://A/", &["a"], Some("a")),
            (V::HTTP_11, "http://a/", &["b"], None),
            (V::HTTP_11, "http://a/", &[], None),
            (V::HTTP_2, "http://a/", &[], Some("a")),
            (V::HTTP_2, "http://a/", &["a"], Some("a")),
            (V::HTTP_2, "http://a/", &["b"], None),
            (V::HTTP_2, "http://u@a/", &[], None),
        ] {
            assert_eq!(host(version, uri, hosts).as_deref(), wanted, "{version:?} {uri} {hosts:?}");
        }
    }

    #[test]
    fn forms_without_a_path_have_none() {
        for (uri, wanted) in
            [("/a?b", "/a?b"), ("http://a", "/"), ("http://a/b", "/b"), ("*", "*"), ("a:80", "")]
        {
            assert_eq!(target(&Request::builder().uri(uri).body(()).unwrap()), wanted, "{uri}");
        }
    }
}
