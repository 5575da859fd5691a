//! From what was seen to open, closed or unknown. Pure.

use std::net::SocketAddr;

use super::endpoint::Endpoint;
use super::reach::Reached;
use super::report::{ProbeResult, Probed};
use crate::names::Resolved;

/// What the controls showed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Controls {
    /// Whether the internal name resolves; none: unclear.
    pub(super) inside: Option<bool>,
    /// The control was connected to over IPv4.
    pub(super) ipv4: bool,
    /// The control was connected to over IPv6.
    pub(super) ipv6: bool,
    /// The control answered HTTP.
    pub(super) answered: bool,
}

impl Controls {
    pub(super) fn connected(&self) -> bool {
        self.ipv4 || self.ipv6
    }
}

/// What was seen of one endpoint.
pub(super) struct Seen {
    pub(super) resolved: Resolved,
    pub(super) reached: Vec<(SocketAddr, Reached)>,
}

/// Endings of names that no public name server answers for (RFC 6762, 6761, 8375; `.internal` is reserved by ICANN for
/// private use): that such a name does not exist out here is what is wanted, not a typing mistake.
const PRIVATE_ENDINGS: [&str; 8] =
    [".internal", ".local", ".localdomain", ".lan", ".home.arpa", ".svc", ".intranet", ".corp"];

pub(super) fn endpoint(endpoint: &Endpoint, seen: &Seen, controls: &Controls) -> Probed {
    let (result, evidence) = judged(endpoint.host(), seen, controls);
    Probed { endpoint: endpoint.to_string(), result, evidence }
}

fn judged(host: &str, seen: &Seen, controls: &Controls) -> (ProbeResult, String) {
    use ProbeResult::{Closed, Open, Unknown};
    let mut parts = Vec::new();
    let mut results = Vec::new();
    if seen.resolved.is_nowhere() {
        if !host.contains('.') || PRIVATE_ENDINGS.iter().any(|ending| host.ends_with(ending)) {
            results.push(Closed);
            parts.push(format!("{host} does not exist out here"));
        } else {
            results.push(Unknown);
            parts.push(format!("{host} does not resolve: is it written right?"));
        }
    }
    if let Some(gap) = &seen.resolved.gap {
        results.push(Unknown);
        parts.push(format!("not every address is known: {gap}"));
    }
    for (address, reached) in &seen.reached {
        let (result, what) = at(*address, reached, controls);
        results.push(result);
        parts.push(format!("{} {what}", address.ip()));
    }
    let result = if results.contains(&Open) {
        Open
    } else if results.contains(&Unknown) || results.is_empty() {
        Unknown
    } else {
        Closed
    };
    let evidence = parts.join("; ");
    match (result, controls.inside, controls.connected()) {
        (_, Some(true), _) => (Unknown, format!("this is not outside; {evidence}")),
        (_, None, _) => (Unknown, format!("whether this is outside is not known; {evidence}")),
        (Closed, _, false) => (Unknown, format!("the control was not reached; {evidence}")),
        (result, ..) => (result, evidence),
    }
}

fn at(address: SocketAddr, reached: &Reached, controls: &Controls) -> (ProbeResult, String) {
    use ProbeResult::{Closed, Open, Unknown};
    let heard = if address.is_ipv4() { controls.ipv4 } else { controls.ipv6 };
    let family = if address.is_ipv4() { "IPv4" } else { "IPv6" };
    match reached {
        Reached::Postgres('S') => (Open, "is PostgreSQL: it answered S (offers TLS)".into()),
        Reached::Postgres('N') => (Open, "is PostgreSQL: it answered N (without TLS)".into()),
        Reached::Postgres(other) => (Open, format!("is PostgreSQL: it answered {other}")),
        Reached::Stranger => (Unknown, "answers, and is no PostgreSQL".into()),
        Reached::Refused => (Closed, "refused the connection".into()),
        Reached::TimedOut if heard => (Closed, "did not answer within 3 s".into()),
        Reached::TimedOut => {
            (Unknown, format!("did not answer within 3 s, and the control was not reached over {family}"))
        }
        Reached::Hung if controls.answered => {
            (Closed, "accepted and closed without a byte: a bare edge, no database behind it".into())
        }
        Reached::Hung => (
            Unknown,
            "accepted and closed without a byte, and the control did not answer: this network may accept for others"
                .into(),
        ),
        Reached::Silent => (Unknown, "accepted, and said nothing within 3 s".into()),
        Reached::NoRoute(why) => (Unknown, format!("cannot be reached from here: {}", why.to_lowercase())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ProbeResult::{Closed, Open, Unknown};

    const GREEN: Controls = Controls { inside: Some(false), ipv4: true, ipv6: false, answered: true };

    fn seen(reached: Vec<(&str, Reached)>) -> Seen {
        let reached: Vec<(SocketAddr, Reached)> =
            reached.into_iter().map(|(address, reached)| (address.parse().unwrap(), reached)).collect();
        let addresses = reached.iter().map(|(address, _)| address.ip()).collect();
        Seen { resolved: Resolved { chain: vec!["db.example.com".into()], addresses, gap: None }, reached }
    }

    fn result(reached: Vec<(&str, Reached)>, controls: Controls) -> ProbeResult {
        judged("db.example.com", &seen(reached), &controls).0
    }

    #[test]
    fn one_open_address_is_enough_and_every_closed_one_is_needed() {
        let (v4, other, v6) = ("203.0.113.7:5432", "203.0.113.8:5432", "[2001:db8::7]:5432");
        let no_route = || Reached::NoRoute("Network is unreachable".into());
        assert_eq!(result(vec![(v4, Reached::Refused)], GREEN), Closed);
        assert_eq!(result(vec![(v4, Reached::TimedOut)], GREEN), Closed);
        assert_eq!(result(vec![(v4, Reached::Postgres('S'))], GREEN), Open);
        assert_eq!(result(vec![(v4, Reached::Refused), (v6, Reached::Postgres('N'))], GREEN), Open);
        assert_eq!(result(vec![(v4, Reached::Refused), (other, Reached::Refused)], GREEN), Closed);
        assert_eq!(result(vec![(v4, Reached::Refused), (v6, no_route())], GREEN), Unknown);
        assert_eq!(result(vec![(v4, Reached::Stranger)], GREEN), Unknown);
        assert_eq!(result(vec![(v4, Reached::Silent)], GREEN), Unknown);
        assert_eq!(result(vec![], GREEN), Unknown);
    }

    #[test]
    fn silence_over_ipv6_wants_a_control_over_ipv6() {
        let silence = || vec![("[2001:db8::7]:5432", Reached::TimedOut)];
        assert_eq!(result(silence(), GREEN), Unknown);
        assert_eq!(result(silence(), Controls { ipv6: true, ..GREEN }), Closed);
    }

    #[test]
    fn without_green_controls_nothing_is_closed() {
        let refused = || vec![("203.0.113.7:5432", Reached::Refused)];
        for inside in [Some(true), None] {
            assert_eq!(result(refused(), Controls { inside, ..GREEN }), Unknown);
            // Whoever stands inside reaches it, of course.
            let open = vec![("203.0.113.7:5432", Reached::Postgres('S'))];
            assert_eq!(result(open, Controls { inside, ..GREEN }), Unknown);
        }
        assert_eq!(result(refused(), Controls { ipv4: false, ..GREEN }), Unknown);
        let open = vec![("203.0.113.7:5432", Reached::Postgres('S'))];
        assert_eq!(result(open, Controls { ipv4: false, ..GREEN }), Open, "being reached needs no control");
        let hung = || vec![("203.0.113.7:5432", Reached::Hung)];
        assert_eq!(result(hung(), GREEN), Closed);
        assert_eq!(result(hung(), Controls { answered: false, ..GREEN }), Unknown);
    }

    #[test]
    fn a_private_name_that_does_not_exist_out_here_is_closed_and_a_public_one_unknown() {
        let nowhere = |host: &str, gap: Option<&str>| {
            let resolved = Resolved { chain: vec![host.into()], addresses: vec![], gap: gap.map(Into::into) };
            judged(host, &Seen { resolved, reached: Vec::new() }, &GREEN).0
        };
        assert_eq!(nowhere("postgres.railway.internal", None), Closed);
        assert_eq!(nowhere("db", None), Closed);
        assert_eq!(nowhere("postgres.railway.internal", Some("timed out")), Unknown);
        assert_eq!(nowhere("shuttle.proxy.rlwy.net", None), Unknown);
        assert_eq!(nowhere("postgres.railway.internal.example", None), Unknown);
    }
}
