//! Origins that look like the frontend's and are not.

/// Origins that a careless comparison takes for the frontend's.
pub(super) fn look_alikes(frontend: &str, allowed: &[String]) -> Vec<Vec<String>> {
    let Some((scheme, authority)) = frontend.split_once("://") else { return Vec::new() };
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => (host, Some(port)),
        _ => (authority, None),
    };
    let with_port = |host: &str| port.map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let twin = if scheme == "https" { "http" } else { "https" };
    let mut singles = vec![
        "null".to_owned(),
        "https://attacker.example".to_owned(),
        format!("{scheme}://{host}.attacker.example"),
        format!("{scheme}://attacker{}", with_port(host)),
        format!("{twin}://{authority}"),
        format!("{scheme}://{host}:{}", if port == Some("8443") { "9443" } else { "8443" }),
        format!("{scheme}://sub.{}", with_port(host)),
        format!("{scheme}://{}", with_port(&format!("{host}."))),
        format!("{scheme}://{authority}@attacker.example"),
        format!("{scheme}://{host}%60.attacker.example"),
        format!("{scheme}://{host}_.attacker.example"),
        format!("{scheme}://{host}$.attacker.example"),
        format!("{scheme}://{host},.attacker.example"),
        format!("{frontend}/"),
        "http://localhost:3000".to_owned(),
        "*".to_owned(),
    ];
    if host.contains('.') {
        singles.push(format!("{scheme}://{}", with_port(&host.replacen('.', "x", 1))));
    }
    let upper = format!("{scheme}://{}", authority.to_uppercase());
    singles.push(upper);
    singles.retain(|origin| !allowed.contains(origin));
    let mut all: Vec<Vec<String>> = singles.into_iter().map(|origin| vec![origin]).collect();
    all.push(vec![frontend.to_owned(), "https://attacker.example".to_owned()]);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_never_contain_an_allowed_origin() {
        let allowed = ["https://app.example.com".to_owned(), "http://localhost:3000".to_owned()];
        let all = look_alikes(&allowed[0], &allowed);
        assert!(all.iter().all(|origins| origins.len() > 1 || !allowed.contains(&origins[0])));
        let has = |origin: &str| all.contains(&vec![origin.to_owned()]);
        assert!(has("https://app.example.com.attacker.example"));
        assert!(has("https://appxexample.com"));
        assert!(has("http://app.example.com"));
        assert!(has("https://sub.app.example.com"));
        assert!(!has("http://localhost:3000"));
        assert!(
            look_alikes("http://localhost:5173", &[]).contains(&vec!["http://sub.localhost:5173".to_owned()])
        );
    }
}
