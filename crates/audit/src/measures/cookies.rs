//! X3: every cookie that is set is for https alone, out of reach of scripts and of other sites, and bound to its host
//! (RFC 6265bis section 4.1; ASVS 5 V3.3). Where none is set there is nothing to steal, and the claim says what was asked.

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::tally::{self, Found};
use crate::report::Claim;
use crate::world::World;
use crate::world::surface::Surface;

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        "cookies_travel_over_tls_alone",
        "every cookie is Secure and its name says so",
        &["V3.3.1"],
        &[614],
    ),
    claimed("cookies_say_who_may_send_them", "every cookie says SameSite", &["V3.3.2"], &[1275]),
    claimed(
        "cookies_belong_to_one_host",
        "every cookie is __Host-: one host, the whole path",
        &["V3.3.3"],
        &[565],
    ),
    claimed("scripts_do_not_see_cookies", "every cookie is HttpOnly", &["V3.3.4"], &[1004]),
    claimed("cookies_are_small", "no cookie is longer than browsers keep", &["V3.3.5"], &[]),
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    judge(world.surface().await)
}

/// One `Set-Cookie`, taken apart.
struct Cookie<'a> {
    name: &'a str,
    length: usize,
    attributes: Vec<(String, &'a str)>,
}

impl<'a> Cookie<'a> {
    fn parse(header: &'a str) -> Self {
        let mut parts = header.split(';');
        let pair = parts.next().unwrap_or_default().trim();
        let (name, _) = pair.split_once('=').unwrap_or(("", pair));
        let attributes = parts
            .map(|part| part.trim().split_once('=').unwrap_or((part.trim(), "")))
            .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim()))
            .collect();
        Self { name: name.trim(), length: pair.len(), attributes }
    }

    fn has(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(other, _)| other == name).map(|(_, value)| *value)
    }

    /// One that is taken back: it ends a session and begins none.
    fn is_end(&self) -> bool {
        self.has("max-age").is_some_and(|age| age.starts_with('-') || age == "0")
    }
}

fn judge(surface: &Surface) -> Vec<Claim> {
    let nothing = format!("no cookie was set: asked were {}", surface.asked());
    let each = |id: &Claimed, remedy: &str, rule: fn(&Cookie<'_>) -> bool| {
        let mut found = Vec::new();
        for seen in &surface.seen {
            for header in seen.answer.headers.get_all("set-cookie") {
                let text = String::from_utf8_lossy(header.as_bytes()).into_owned();
                let cookie = Cookie::parse(&text);
                if cookie.is_end() {
                    continue;
                }
                // The value is a secret: its name and its attributes are shown.
                let said: Vec<_> =
                    cookie.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
                let what = format!("{} sets {}: {}", seen.name, cookie.name, said.join("; "));
                found.push(Found::when(rule(&cookie), Evidence::http(what)));
            }
        }
        // What did not answer may have set one.
        found.extend(surface.silent.iter().map(|why| Found::Unclear(Evidence::http(why.clone()))));
        tally::claim(id.id, found, &nothing, remedy)
    };
    vec![
        each(&CLAIMS[0], "set Secure, and begin the name with __Host- or __Secure-", |cookie| {
            cookie.has("secure").is_some()
                && (cookie.name.starts_with("__Host-") || cookie.name.starts_with("__Secure-"))
        }),
        each(&CLAIMS[1], "set SameSite=Lax or Strict", |cookie| {
            cookie
                .has("samesite")
                .is_some_and(|value| matches!(value.to_ascii_lowercase().as_str(), "lax" | "strict"))
        }),
        each(&CLAIMS[2], "begin the name with __Host-, set Path=/ and no Domain", |cookie| {
            cookie.name.starts_with("__Host-")
                && cookie.has("path") == Some("/")
                && cookie.has("domain").is_none()
        }),
        each(&CLAIMS[3], "set HttpOnly", |cookie| cookie.has("httponly").is_some()),
        each(&CLAIMS[4], "keep name and value under 4096 bytes", |cookie| cookie.length <= 4096),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;
    use crate::world::http::answer_of;
    use crate::world::surface::{Kind, Seen};

    fn verdicts(cookie: &str) -> Vec<Verdict> {
        let answer = answer_of(200, &[("set-cookie", cookie)], "");
        let surface =
            Surface { seen: vec![Seen::new("POST /login", Kind::Token, answer)], silent: Vec::new() };
        judge(&surface).iter().map(|claim| claim.verdict).collect()
    }

    #[test]
    fn each_attribute_has_a_claim_of_its_own() {
        use Verdict::{Fail, NotApplicable, NotProven, Pass};
        let sound = "__Host-s=x; Path=/; Secure; HttpOnly; SameSite=Lax";
        assert_eq!(verdicts(sound), [Pass; 5]);
        for (lacking, failing) in [
            ("__Host-s=x; Path=/; HttpOnly; SameSite=Lax", 0),
            ("__Host-s=x; Path=/; Secure; HttpOnly", 1),
            ("__Host-s=x; Path=/; Secure; HttpOnly; SameSite=None", 1),
            ("__Secure-s=x; Path=/; Secure; HttpOnly; SameSite=Lax", 2),
            ("__Host-s=x; Path=/; Secure; SameSite=Lax", 3),
        ] {
            let mut wanted = [Pass; 5];
            wanted[failing] = Fail;
            assert_eq!(verdicts(lacking), wanted, "{lacking}");
        }
        let long = format!("__Host-s={}; Path=/; Secure; HttpOnly; SameSite=Lax", "x".repeat(5000));
        assert_eq!(verdicts(&long)[4], Fail);
        assert_eq!(verdicts("s=; Max-Age=0"), [NotApplicable; 5], "a cookie that is taken back");
        let mut silent = Surface { seen: Vec::new(), silent: vec!["GET /: refused".into()] };
        assert!(judge(&silent).iter().all(|claim| claim.verdict == NotProven));
        let answer = answer_of(200, &[("set-cookie", sound)], "");
        silent.seen.push(Seen::new("POST /login", Kind::Token, answer));
        assert!(judge(&silent).iter().all(|claim| claim.verdict == NotProven), "one of two is silent");
    }

    #[test]
    fn a_cookies_value_is_not_shown() {
        let answer = answer_of(200, &[("set-cookie", "s=verysecret; Path=/")], "");
        let surface =
            Surface { seen: vec![Seen::new("POST /login", Kind::Token, answer)], silent: Vec::new() };
        assert!(!format!("{:?}", judge(&surface)).contains("verysecret"));
    }
}
