//! What our own environment tells of ways in from the internet.

use std::collections::BTreeMap;

use super::judge::{Finding, Verdict, public};

/// A variable of our own environment that tells of a way in from the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisibleVariable {
    /// `DATABASE_PUBLIC_URL`, with a host in it: the database has a TCP proxy.
    PublicUrl,
    /// `DATABASE_PUBLIC_URL` without a host: the proxy is gone, the variable is not.
    PublicUrlWithoutHost,
    /// `RAILWAY_TCP_PROXY_DOMAIN`: the service that runs here has a TCP proxy, to a database's port or to an unknown one.
    ProxyOfDatabase,
    /// The same, to another port.
    ProxyOfAnother,
}

/// Ports that databases and their poolers listen on.
const DATABASE_PORTS: [&str; 2] = ["5432", "6432"];

/// What the environment of this process tells of ways in.
#[must_use]
pub fn visible_variables(environment: &BTreeMap<String, String>) -> Vec<VisibleVariable> {
    let value =
        |name: &str| environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let mut visible = Vec::new();
    if let Some(url) = value("DATABASE_PUBLIC_URL") {
        // Without a proxy Railway writes a URL with nothing between @ and the colon. What does not parse counts as one.
        let authority =
            url.split_once("://").map(|(_, rest)| rest.split(['/', '?']).next().unwrap_or_default());
        let server = authority.map(|authority| authority.rsplit('@').next().unwrap_or_default());
        let hostless = server.is_some_and(|server| server.split(':').next().is_some_and(str::is_empty));
        visible.push(if hostless {
            VisibleVariable::PublicUrlWithoutHost
        } else {
            VisibleVariable::PublicUrl
        });
    }
    if value("RAILWAY_TCP_PROXY_DOMAIN").is_some() {
        let port = value("RAILWAY_TCP_APPLICATION_PORT");
        visible.push(match port {
            Some(port) if !DATABASE_PORTS.contains(&port) => VisibleVariable::ProxyOfAnother,
            _ => VisibleVariable::ProxyOfDatabase,
        });
    }
    visible
}

impl VisibleVariable {
    pub(super) fn finding(&self) -> Finding {
        match self {
        VisibleVariable::PublicUrl => public(
            "DATABASE_PUBLIC_URL is visible here and names a host: the database has a TCP proxy".to_owned(),
            "remove the TCP proxy in the database's settings (Networking), and the variable",
        ),
        VisibleVariable::PublicUrlWithoutHost => Finding {
            verdict: Verdict::Warn,
            sentence:
                "DATABASE_PUBLIC_URL is visible here, without a host: it carries a password for nothing"
                    .to_owned(),
            remedy: "remove the variable".to_owned(),
        },
        VisibleVariable::ProxyOfDatabase => public(
            "RAILWAY_TCP_PROXY_DOMAIN is set here: this service has a TCP proxy that may lead to a database"
                .to_owned(),
            "remove the TCP proxy in the service's settings (Networking)",
        ),
        VisibleVariable::ProxyOfAnother => Finding {
            verdict: Verdict::Warn,
            sentence:
                "RAILWAY_TCP_PROXY_DOMAIN is set here: this service is open to the internet beside its domain"
                    .to_owned(),
            remedy: "remove the TCP proxy in the service's settings (Networking), if nobody needs it"
                .to_owned(),
        },
    }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_environment_tells_of_a_proxy() {
        let visible = |pairs: &[(&str, &str)]| {
            let environment =
                pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            visible_variables(&environment).iter().map(|visible| visible.finding().verdict).max()
        };
        let public = "postgresql://postgres:secret@roundhouse.proxy.rlwy.net:15432/railway";
        assert_eq!(visible(&[("DATABASE_PUBLIC_URL", public)]), Some(Verdict::Refuse));
        assert_eq!(visible(&[("DATABASE_PUBLIC_URL", "something else")]), Some(Verdict::Refuse));
        assert_eq!(
            visible(&[("DATABASE_PUBLIC_URL", "postgresql://postgres:secret@:/railway")]),
            Some(Verdict::Warn)
        );
        assert_eq!(visible(&[("RAILWAY_TCP_PROXY_DOMAIN", "x.proxy.rlwy.net")]), Some(Verdict::Refuse));
        let port =
            |port| [("RAILWAY_TCP_PROXY_DOMAIN", "x.proxy.rlwy.net"), ("RAILWAY_TCP_APPLICATION_PORT", port)];
        assert_eq!(visible(&port("6432")), Some(Verdict::Refuse));
        assert_eq!(visible(&port("22")), Some(Verdict::Warn));
        for harmless in
            [("DATABASE_PUBLIC_URL", ""), ("RAILWAY_TCP_PROXY_DOMAIN", " "), ("DATABASE_URL", public)]
        {
            assert_eq!(visible(&[harmless]), None, "{harmless:?}");
        }
    }
}
