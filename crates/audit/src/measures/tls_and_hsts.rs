//! X1: TLS guards every address (ASVS 5 V12.1, V12.2, V3.4.1): no version before 1.2, no suite without forward secrecy, a
//! certificate that is believed, is for this name and lasts, HSTS, and nothing over http. On loopback in development http
//! will do, and the claim says so; elsewhere an address over http fails.

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::tally::{self, Found};
use crate::report::{Claim, seconds_of};
use crate::verdict::Verdict;
use crate::world::World;
use crate::world::hello::{self, Offer};
use crate::world::http::{PATIENCE, Probe, Sent, tls};
use crate::world::surface::Surface;

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        "every_address_is_https",
        "target, issuer and frontends are reached by https",
        &["V12.2.1"],
        &[319],
    ),
    claimed(
        "the_certificate_is_believed",
        "every certificate is believed and is for its name",
        &["V12.2.2"],
        &[295, 297],
    ),
    claimed("the_certificate_lasts", "no certificate ends within a week", &[], &[298]),
    claimed("old_tls_is_refused", "TLS 1.0 and 1.1 are refused", &["V12.1.1"], &[326, 327]),
    claimed(
        "every_suite_has_forward_secrecy",
        "suites without forward secrecy are refused",
        &["V12.1.2"],
        &[326, 327],
    ),
    claimed(
        "keys_are_exchanged_on_a_good_curve",
        "keys are exchanged on X25519, P-256 or better",
        &["V11.6.2"],
        &[326],
    ),
    claimed("hsts_is_said", "every answer says HSTS for a year, subdomains too", &["V3.4.1"], &[319, 523]),
    claimed(
        "http_serves_nothing",
        "http gives no data, and redirects nothing that is sent",
        &["V4.1.2"],
        &[319],
    ),
];

const WEEK: i64 = 7 * 86_400;
const YEAR: i64 = 31_536_000;

/// One address and what was seen of its TLS.
struct Seen {
    base: String,
    https: bool,
    loopback: bool,
    shaken: Result<Shaken, String>,
    /// Each old offer, and whether it was taken.
    offers: Vec<(Offer, Result<bool, String>)>,
    /// GET and POST over http at the same host, port 80; none where another port than 443 leaves port 80 to others.
    plain: Option<[Sent; 2]>,
    /// Whether `[audit]` was given an authority of its own to trust.
    own_authority: bool,
}

/// A handshake that came to its end.
struct Shaken {
    version: String,
    suite: String,
    group: String,
    /// Unix seconds.
    ends: Option<i64>,
}

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let config = &world.config;
    let mut bases: Vec<&String> = vec![&config.target, &config.issuer];
    bases.extend(config.frontend_origins.iter().filter(|_| config.environment != "development"));
    let mut seen: Vec<Seen> = Vec::new();
    for base in bases {
        if let Some(url) = url::Url::parse(base).ok().filter(|url| url.host_str().is_some()) {
            let base = url.origin().ascii_serialization();
            if !seen.iter().any(|other| other.base == base) {
                seen.push(observe(world, base, &url).await);
            }
        }
    }
    judge(&seen, world.surface().await, config.environment == "development", world.now)
}

async fn observe(world: &World, base: String, url: &url::Url) -> Seen {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let loopback = host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    let https = url.scheme() == "https";
    let own_authority = world.config.certificate_authority.is_some();
    let mut seen = Seen {
        base,
        https,
        loopback,
        shaken: Err("http".into()),
        offers: Vec::new(),
        plain: None,
        own_authority,
    };
    if !https {
        return seen;
    }
    let port = url.port_or_known_default().unwrap_or(443);
    seen.shaken = shake(world, &host, port).await;
    for offer in [Offer::Tls10, Offer::Tls11, Offer::WithoutForwardSecrecy] {
        seen.offers.push((offer, hello::is_taken(&host, port, offer).await));
    }
    if port == 443 {
        let at = format!("http://{}/", url.host_str().unwrap_or_default());
        let get = world.http.send(Probe::new("GET", &at)).await;
        let post = world.http.send(Probe::new("POST", format!("{at}oauth/token"))).await;
        seen.plain = Some([get, post]);
    }
    seen
}

async fn shake(world: &World, host: &str, port: u16) -> Result<Shaken, String> {
    let connect = tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await;
    let stream =
        connect.map_err(|_| "no connection in time".to_owned())?.map_err(|error| error.to_string())?;
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    let connector = tokio_rustls::TlsConnector::from(std::sync::Arc::new(tls(world
        .config
        .certificate_authority
        .as_deref())));
    let shaken = tokio::time::timeout(PATIENCE, connector.connect(name, stream)).await;
    let stream = shaken.map_err(|_| "no TLS in time".to_owned())?.map_err(|error| error.to_string())?;
    let (_, session) = stream.get_ref();
    let group = session.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()));
    Ok(Shaken {
        version: session.protocol_version().map(|version| format!("{version:?}")).unwrap_or_default(),
        suite: session
            .negotiated_cipher_suite()
            .map(|suite| format!("{:?}", suite.suite()))
            .unwrap_or_default(),
        group: group.unwrap_or_default(),
        ends: session.peer_certificates().and_then(|all| all.first()).and_then(|first| end_of(first)),
    })
}

/// The end of a certificate's validity: the second of two dates in a row (RFC 5280 section 4.1.2.5).
fn end_of(der: &[u8]) -> Option<i64> {
    let date = |at: usize| -> Option<(i64, usize)> {
        let (kind, length) = (*der.get(at)?, usize::from(*der.get(at + 1)?));
        let text = std::str::from_utf8(der.get(at + 2..at + 2 + length)?).ok()?;
        let full = match (kind, length) {
            (0x17, 13) => format!("{}{text}", if text.get(..2)? < "50" { "20" } else { "19" }),
            (0x18, 15) => text.to_owned(),
            _ => return None,
        };
        let part = |from: usize, to: usize| full.get(from..to);
        let iso = format!(
            "{}-{}-{}T{}:{}:{}Z",
            part(0, 4)?,
            part(4, 6)?,
            part(6, 8)?,
            part(8, 10)?,
            part(10, 12)?,
            part(12, 14)?
        );
        Some((seconds_of(&iso)?, at + 2 + length))
    };
    (0..der.len()).find_map(|at| {
        let (_, next) = date(at)?;
        date(next).map(|(end, _)| end)
    })
}

fn judge(seen: &[Seen], surface: &Surface, development: bool, now: i64) -> Vec<Claim> {
    let mut claims = vec![addresses(seen, development)];
    let secure: Vec<&Seen> = seen.iter().filter(|seen| seen.https).collect();
    let each = |id: &Claimed, remedy: &str, rule: &dyn Fn(&Seen, &Shaken) -> Found| {
        let found = secure.iter().map(|seen| match &seen.shaken {
            Ok(shaken) => rule(seen, shaken),
            Err(why) => Found::Bad(Evidence::http(format!("{}: {why}", seen.base))),
        });
        tally::claim(id.id, found, "no address is https", remedy)
    };
    claims.push(each(
        &CLAIMS[1],
        "get a certificate of a public authority for every name",
        &|seen, shaken| {
            let what =
                format!("{}: the certificate is believed ({}, {})", seen.base, shaken.version, shaken.suite);
            let evidence = Evidence::http(what);
            match seen.own_authority {
                true if !development => Found::Unclear(Evidence::http(format!(
                    "{}: it is believed by the authority that the auditor was given, not by a public one",
                    seen.base
                ))),
                _ => Found::Good(evidence),
            }
        },
    ));
    claims.push(each(&CLAIMS[2], "renew it, by ACME say", &|seen, shaken| match shaken.ends {
        Some(end) => {
            let days = (end - now).div_euclid(86_400);
            Found::when(
                end - now > WEEK,
                Evidence::http(format!("{}: the certificate ends in {days} days", seen.base)),
            )
        }
        None => {
            Found::Unclear(Evidence::http(format!("{}: the certificate's end cannot be read", seen.base)))
        }
    }));
    for (claim, wanted, remedy) in [
        (&CLAIMS[3], [Offer::Tls10, Offer::Tls11].as_slice(), "take TLS 1.2 and 1.3 alone"),
        (&CLAIMS[4], [Offer::WithoutForwardSecrecy].as_slice(), "take ECDHE with AEAD alone"),
    ] {
        let found = secure.iter().flat_map(|seen| {
            seen.offers.iter().filter(|(offer, _)| wanted.contains(offer)).map(|(offer, taken)| {
                let what = format!("{}: {}", seen.base, words(*offer));
                match (taken, &seen.shaken) {
                    (Ok(true), _) => Found::Bad(Evidence::http(format!("{what} was taken"))),
                    (Ok(false), Ok(shaken)) => Found::Good(
                        Evidence::http(format!("{what} was refused"))
                            .beside(format!("{} was taken", shaken.version)),
                    ),
                    (Ok(false), Err(why)) => Found::Unclear(Evidence::http(format!(
                        "{what} was refused, but so was all else: {why}"
                    ))),
                    (Err(why), _) => Found::Unclear(Evidence::http(format!("{what}: {why}"))),
                }
            })
        });
        claims.push(tally::claim(claim.id, found, "no address is https", remedy));
    }
    claims.push(each(&CLAIMS[5], "offer X25519 and P-256", &|seen, shaken| {
        let good =
            ["X25519", "secp256r1", "secp384r1", "secp521r1"].iter().any(|name| shaken.group.contains(name));
        Found::when(good, Evidence::http(format!("{}: keys are exchanged on {}", seen.base, shaken.group)))
    }));
    claims.push(hsts(surface, &secure));
    claims.push(plain(&secure));
    claims
}

fn words(offer: Offer) -> &'static str {
    match offer {
        Offer::Tls10 => "TLS 1.0",
        Offer::Tls11 => "TLS 1.1",
        Offer::WithoutForwardSecrecy => "a suite without forward secrecy",
    }
}

fn addresses(seen: &[Seen], development: bool) -> Claim {
    let id = CLAIMS[0].id;
    let found = seen.iter().filter(|seen| seen.https || !(development && seen.loopback)).map(|seen| {
        Found::when(
            seen.https,
            Evidence::http(format!(
                "{} is reached by {}",
                seen.base,
                if seen.https { "https" } else { "http" }
            )),
        )
    });
    let claim = tally::claim(
        id,
        found,
        "every address is on loopback in development, where http will do",
        "serve it by https",
    );
    if seen.is_empty() { claim.but(Verdict::NotProven) } else { claim }
}

fn hsts(surface: &Surface, secure: &[&Seen]) -> Claim {
    let base = |name: &str| secure.iter().any(|seen| name.contains(&seen.base));
    let all = !secure.is_empty();
    // Names of endpoints have no origin before them: where the target is https they are.
    let found = surface
        .seen
        .iter()
        .filter(|seen| all && (base(&seen.name) || !seen.name.contains("http://")))
        .map(|seen| {
            let value =
                seen.answer.header("strict-transport-security").unwrap_or_default().to_ascii_lowercase();
            let age = value
                .split(';')
                .find_map(|part| part.trim().strip_prefix("max-age=")?.trim_matches('"').parse::<i64>().ok());
            let good = age.is_some_and(|age| age >= YEAR) && value.contains("includesubdomains");
            Found::when(good, Evidence::http(format!("{}: strict-transport-security: {value:?}", seen.name)))
        });
    tally::claim(
        CLAIMS[6].id,
        found,
        "no address is https",
        "send Strict-Transport-Security: max-age=31536000; includeSubDomains",
    )
}

fn plain(secure: &[&Seen]) -> Claim {
    let found =
        secure.iter().filter_map(|seen| Some((seen, seen.plain.as_ref()?))).map(|(seen, [get, post])| {
            if let Err(why) = &seen.shaken {
                return Found::Unclear(Evidence::http(format!(
                    "{}: no https as the control: {why}",
                    seen.base
                )));
            }
            let status = |sent: &Sent| {
                sent.as_ref().map_or_else(|why| why.to_string(), |answer| answer.status.to_string())
            };
            let what = format!("{}: over http GET got {}, POST {}", seen.base, status(get), status(post));
            let served = |sent: &Sent| sent.as_ref().is_ok_and(|answer| (200..300).contains(&answer.status));
            let moved = post.as_ref().is_ok_and(|answer| (300..400).contains(&answer.status));
            Found::when(!served(get) && !served(post) && !moved, Evidence::http(what))
        });
    tally::claim(
        CLAIMS[7].id,
        found,
        "no address is https on the usual port, so port 80 is others'",
        "let http redirect pages alone, and refuse everything else",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict::{Fail, NotApplicable, NotProven, Pass};
    use crate::world::http::{Point, Unreachable, answer_of};
    use crate::world::surface::{Kind, Seen as Answered};

    fn sound() -> Seen {
        let shaken = Shaken {
            version: "TLSv1_3".into(),
            suite: "TLS13_AES_256_GCM_SHA384".into(),
            group: "X25519".into(),
            ends: Some(90 * 86_400),
        };
        let refused =
            [Offer::Tls10, Offer::Tls11, Offer::WithoutForwardSecrecy].map(|offer| (offer, Ok(false)));
        let nobody = || Err(Unreachable("connection refused".into(), Point::NotConnected));
        Seen {
            base: "https://api.example.com".into(),
            https: true,
            loopback: false,
            shaken: Ok(shaken),
            offers: refused.to_vec(),
            plain: Some([nobody(), nobody()]),
            own_authority: false,
        }
    }

    fn verdicts(seen: Seen, hsts: &str) -> Vec<Verdict> {
        let answer = answer_of(200, &[("strict-transport-security", hsts)], "");
        let surface = Surface { seen: vec![Answered::new("GET /a", Kind::Open, answer)], silent: Vec::new() };
        judge(&[seen], &surface, false, 0).iter().map(|claim| claim.verdict).collect()
    }

    const YES: &str = "max-age=31536000; includeSubDomains";

    #[test]
    fn each_defence_has_a_claim_of_its_own() {
        assert_eq!(verdicts(sound(), YES), [Pass; 8]);
        let failing = |seen: Seen, hsts: &str, at: usize| {
            let verdicts = verdicts(seen, hsts);
            for (index, verdict) in verdicts.iter().enumerate() {
                assert_eq!(*verdict, if index == at { Fail } else { Pass }, "{at}: {verdicts:?}");
            }
        };
        let mut short = sound();
        short.shaken.as_mut().unwrap().ends = Some(86_400);
        failing(short, YES, 2);
        for (index, at) in [(0, 3), (1, 3), (2, 4)] {
            let mut old = sound();
            old.offers[index].1 = Ok(true);
            failing(old, YES, at);
        }
        let mut curve = sound();
        curve.shaken.as_mut().unwrap().group = "FFDHE2048".into();
        failing(curve, YES, 5);
        failing(sound(), "max-age=60", 6);
        failing(
            Seen { plain: Some([Ok(answer_of(200, &[], "")), Ok(answer_of(404, &[], ""))]), ..sound() },
            YES,
            7,
        );
        failing(
            Seen { plain: Some([Ok(answer_of(301, &[], "")), Ok(answer_of(307, &[], ""))]), ..sound() },
            YES,
            7,
        );
    }

    #[test]
    fn without_a_handshake_nothing_is_shown_and_http_is_for_development() {
        let verdicts = |seen: Seen, development| -> Vec<Verdict> {
            judge(&[seen], &Surface::default(), development, 0).iter().map(|claim| claim.verdict).collect()
        };
        let broken = Seen { shaken: Err("unknown issuer".into()), ..sound() };
        assert_eq!(
            verdicts(broken, false),
            [Pass, Fail, Fail, NotProven, NotProven, Fail, NotApplicable, NotProven]
        );
        let http = |loopback| Seen {
            https: false,
            base: "http://localhost".into(),
            loopback,
            plain: None,
            offers: Vec::new(),
            ..sound()
        };
        assert_eq!(verdicts(http(true), true), [NotApplicable; 8]);
        assert_eq!(verdicts(http(true), false)[0], Fail);
        assert_eq!(verdicts(http(false), true)[0], Fail);
        let own = Seen { own_authority: true, ..sound() };
        assert_eq!(verdicts(own, false)[1], NotProven, "no public authority");
    }

    #[test]
    fn a_certificates_end_is_the_second_of_two_dates() {
        let mut der = vec![0x30, 0x1e, 0x17, 13];
        der.extend(b"260101000000Z");
        der.extend([0x17, 13]);
        der.extend(b"270101000000Z");
        assert_eq!(end_of(&der), seconds_of("2027-01-01T00:00:00Z"));
        assert_eq!(end_of(b"nothing"), None);
    }
}
