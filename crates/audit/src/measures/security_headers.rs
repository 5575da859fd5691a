//! X2: what a browser is told with every answer (OWASP HTTP Headers and CSP Cheat Sheets; ASVS 5 V3.4, V14.3.2): guess no
//! type, run no foreign script, show us in no frame, tell nobody where you were, keep no token; and no version is named.

use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::tally::{self, Found};
use crate::report::Claim;
use crate::world::World;
use crate::world::surface::{Kind, Seen, Surface};

/// What it can claim.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        "every_answer_says_nosniff",
        "every answer forbids a browser to guess its type",
        &["V3.4.4"],
        &[430, 693],
    ),
    claimed(
        "every_body_has_its_type",
        "every answer with a body says of what type it is, and is",
        &["V4.1.1"],
        &[436],
    ),
    claimed(
        "data_is_never_shown_as_a_page",
        "no answer with data can be taken for a page",
        &["V3.2.1"],
        &[79, 116],
    ),
    claimed("no_answer_names_a_version", "no answer names a product's version", &["V13.4.6"], &[200, 497]),
    claimed("tokens_are_never_stored", "no cache keeps an answer that holds a token", &["V14.3.2"], &[525]),
    claimed(
        "private_answers_are_not_shared",
        "no shared cache keeps what a token got",
        &["V14.2.2"],
        &[524, 525],
    ),
    claimed(
        "pages_run_no_foreign_script",
        "every page has a policy without inline scripts, foreign sources, plugins or another base",
        &["V3.4.3"],
        &[79, 1021],
    ),
    claimed("no_page_can_be_framed", "no page can be shown in another site's frame", &["V3.4.6"], &[1021]),
    claimed("pages_tell_no_referrer", "no page tells another site its address", &["V3.4.5"], &[598]),
    claimed(
        "pages_have_a_window_of_their_own",
        "no other site's window gets hold of a page's",
        &["V3.4.8"],
        &[346],
    ),
    claimed(
        "pages_load_nothing_foreign",
        "no page loads anything from elsewhere, or wants a plugin",
        &["V3.6.1", "V3.7.1", "V14.2.3"],
        &[829],
    ),
    claimed(
        "password_fields_are_for_password_managers",
        "fields for passwords are masked, and a password manager can fill them",
        &["V6.2.6", "V6.2.7"],
        &[549],
    ),
];

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    let mut claims = judge(world.surface().await);
    if !world.config.exercise {
        // The form for a new password stands behind a link that only a throw-away user's mail has.
        for claim in claims.iter_mut().filter(|claim| claim.id == CLAIMS[11].id) {
            *claim = Claim::not_proven(
                CLAIMS[11].id,
                vec![Evidence::configuration("the form for a new password was not opened")],
                "set [audit] exercise and mailbox where a throw-away user may be made",
            );
        }
    }
    claims
}

fn judge(surface: &Surface) -> Vec<Claim> {
    let nothing = "nothing of the kind was answered";
    let each = |id: &Claimed, remedy: &str, rule: fn(&Seen) -> Option<Result<String, String>>| {
        let found = surface.seen.iter().filter_map(|seen| {
            let (good, said) = match rule(seen)? {
                Ok(said) => (true, said),
                Err(said) => (false, said),
            };
            let evidence = Evidence::http(format!("{}: {said}", seen.name)).shown(&seen.answer.transcript);
            Some(Found::when(good, evidence))
        });
        let silent = surface.silent.iter().map(|why| Found::Unclear(Evidence::http(why.clone())));
        // What did not answer may lack what the rest has.
        tally::claim(id.id, found.chain(silent), nothing, remedy)
    };
    vec![
        each(&CLAIMS[0], "send X-Content-Type-Options: nosniff always", nosniff),
        each(&CLAIMS[1], "send a Content-Type that fits, text with its charset", typed),
        each(&CLAIMS[2], "send data as application/json with nosniff", never_a_page),
        each(&CLAIMS[3], "send no Server or X-Powered-By, or none with a number", no_version),
        each(&CLAIMS[4], "send Cache-Control: no-store with tokens", |seen| {
            (seen.kind == Kind::Token)
                .then(|| wants(seen, "cache-control", |value| value.contains("no-store")))
        }),
        each(&CLAIMS[5], "send Cache-Control: private or no-store", private),
        each(&CLAIMS[6], "send a policy such as default-src 'none'; base-uri 'none'", |seen| {
            seen.is_page().then(|| policy(seen))
        }),
        each(&CLAIMS[7], "send frame-ancestors 'none' in the policy", |seen| {
            seen.is_page().then(|| frames(seen))
        }),
        each(&CLAIMS[8], "send Referrer-Policy: no-referrer", |seen| {
            seen.is_page().then(|| {
                wants(seen, "referrer-policy", |value| {
                    matches!(
                        value,
                        "no-referrer" | "same-origin" | "strict-origin" | "strict-origin-when-cross-origin"
                    )
                })
            })
        }),
        each(&CLAIMS[9], "send Cross-Origin-Opener-Policy: same-origin", |seen| {
            seen.is_page()
                .then(|| wants(seen, "cross-origin-opener-policy", |value| value.starts_with("same-origin")))
        }),
        each(&CLAIMS[10], "serve scripts, styles and pictures yourself", |seen| {
            seen.is_page().then(|| foreign(&seen.text()))
        }),
        each(&CLAIMS[11], "type=password and autocomplete=new-password or current-password", |seen| {
            if seen.is_page() { password_fields(&seen.text()) } else { None }
        }),
    ]
}

/// A header that must be there and be right.
fn wants(seen: &Seen, name: &str, right: impl Fn(&str) -> bool) -> Result<String, String> {
    match seen.answer.header(name) {
        Some(value) if right(&value.to_ascii_lowercase()) => Ok(format!("{name}: {value}")),
        Some(value) => Err(format!("{name}: {value}")),
        None => Err(format!("no {name}")),
    }
}

fn nosniff(seen: &Seen) -> Option<Result<String, String>> {
    Some(wants(seen, "x-content-type-options", |value| value == "nosniff"))
}

fn typed(seen: &Seen) -> Option<Result<String, String>> {
    if seen.answer.body.is_empty() {
        return None;
    }
    let Some(kind) = seen.answer.header("content-type") else { return Some(Err("no content-type".into())) };
    let lower = kind.to_ascii_lowercase();
    let json = is_json(&lower);
    Some(if json && seen.answer.json().is_none() {
        Err(format!("{kind}, and the body is none"))
    } else if lower.starts_with("text/") && !lower.contains("charset=") {
        Err(format!("{kind} without a charset"))
    } else {
        Ok(kind)
    })
}

fn is_json(kind: &str) -> bool {
    let essence = kind.split(';').next().unwrap_or_default().trim();
    essence == "application/json" || essence.ends_with("+json")
}

fn never_a_page(seen: &Seen) -> Option<Result<String, String>> {
    let data = seen.answer.json().filter(|data| data.is_object() || data.is_array())?;
    let members = data.as_object().map_or(0, serde_json::Map::len);
    let kind = seen.answer.header("content-type").unwrap_or_default();
    let firm = seen
        .answer
        .header("x-content-type-options")
        .is_some_and(|value| value.eq_ignore_ascii_case("nosniff"));
    Some(if is_json(&kind.to_ascii_lowercase()) && firm {
        Ok(format!("{kind} with nosniff, {members} members"))
    } else {
        Err(format!("JSON is sent as {kind:?}{}", if firm { "" } else { " without nosniff" }))
    })
}

fn no_version(seen: &Seen) -> Option<Result<String, String>> {
    for name in ["server", "x-powered-by", "x-aspnet-version", "x-aspnetmvc-version", "via", "x-generator"] {
        if let Some(value) = seen.answer.header(name) {
            // Via names the protocol's version first, which says nothing of the product.
            let value =
                if name == "via" { value.split_once(' ').map_or("", |(_, rest)| rest) } else { &value };
            if value.bytes().any(|byte| byte.is_ascii_digit()) {
                return Some(Err(format!("{name}: {value}")));
            }
        }
    }
    Some(Ok("no header names a version".into()))
}

/// RFC 9111 section 3.5: what answers an Authorization is kept by no shared cache unless it says so itself.
fn private(seen: &Seen) -> Option<Result<String, String>> {
    if seen.kind == Kind::Open {
        return None;
    }
    let value = seen.answer.header("cache-control").unwrap_or_default().to_ascii_lowercase();
    let kept = ["public", "s-maxage", "must-revalidate"].into_iter().find(|word| value.contains(word));
    let closed = value.contains("no-store") || value.contains("private");
    Some(match kept {
        Some(word) if !closed => Err(format!("cache-control says {word} of what a token got")),
        _ if value.is_empty() => Ok("no Cache-Control: not shared, since it answers an Authorization".into()),
        _ => Ok(format!("cache-control: {value}")),
    })
}

/// The sources of a directive, in lower case; none where the policy does not have it.
fn directive<'a>(policy: &'a str, name: &str) -> Option<Vec<&'a str>> {
    policy.split([';', ',']).find_map(|directive| {
        let mut words = directive.split_ascii_whitespace();
        (words.next()? == name).then(|| words.collect())
    })
}

fn policy(seen: &Seen) -> Result<String, String> {
    let Some(policy) = seen.answer.header("content-security-policy") else {
        return Err("no Content-Security-Policy".into());
    };
    let policy = policy.to_ascii_lowercase();
    let default = directive(&policy, "default-src");
    let of = |name: &str| directive(&policy, name).or_else(|| default.clone());
    let Some(scripts) = of("script-src") else { return Err("its policy lets in any script".into()) };
    let Some(objects) = of("object-src") else { return Err("its policy lets in any plugin".into()) };
    if objects != ["'none'"] {
        return Err(format!("its policy lets in plugins: {}", objects.join(" ")));
    }
    if !matches!(directive(&policy, "base-uri").as_deref(), Some(["'none'"] | ["'self'"])) {
        return Err("its policy lets a <base> change every link".into());
    }
    let styles = of("style-src").unwrap_or_default();
    let mut all = vec![("script", scripts), ("style", styles)];
    // Where they stand, these count before the others (CSP 3 section 6.1).
    for (kind, name) in [
        ("script", "script-src-elem"),
        ("script", "script-src-attr"),
        ("style", "style-src-elem"),
        ("style", "style-src-attr"),
    ] {
        all.extend(directive(&policy, name).map(|sources| (kind, sources)));
    }
    for (kind, sources) in &all {
        let nonced = sources.iter().any(|source| source.starts_with("'nonce-") || source.starts_with("'sha"));
        for source in sources {
            let loose = match *source {
                // A nonce or hash beside it makes browsers ignore it (CSP 3 section 6.7.3.2).
                "'unsafe-inline'" => !nonced,
                "'self'" | "'none'" | "'strict-dynamic'" | "'report-sample'" => false,
                nonce if nonce.starts_with("'nonce-") || nonce.starts_with("'sha") => false,
                // Any other keyword, any scheme and any host, unless it is this page's own.
                other => !is_own(other, seen.origin.as_deref()),
            };
            if loose {
                return Err(format!("its policy lets in {kind}s by {source}"));
            }
        }
    }
    Ok(format!("content-security-policy: {policy}"))
}

/// Whether a source of a policy is the origin of the page itself, with or without a path.
fn is_own(source: &str, origin: Option<&str>) -> bool {
    let Some(origin) = origin else { return false };
    let bare = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    [origin, bare]
        .into_iter()
        .any(|own| source.strip_prefix(own).is_some_and(|path| path.is_empty() || path.starts_with('/')))
}

fn frames(seen: &Seen) -> Result<String, String> {
    let policy = seen.answer.header("content-security-policy").unwrap_or_default().to_ascii_lowercase();
    match directive(&policy, "frame-ancestors") {
        Some(ancestors) if ancestors.iter().any(|who| matches!(*who, "*" | "http:" | "https:")) => {
            Err("frame-ancestors lets in everybody".into())
        }
        Some(ancestors) => Ok(format!("frame-ancestors {}", ancestors.join(" "))),
        None => Err("no frame-ancestors".into()),
    }
}

/// What a page's markup loads from elsewhere, by a plain look at its tags.
fn foreign(page: &str) -> Result<String, String> {
    for tag in tags(page) {
        let name = tag.split(|c: char| c.is_ascii_whitespace() || c == '>').next().unwrap_or_default();
        if matches!(name, "object" | "embed" | "applet") {
            return Err(format!("it wants a plugin: <{name}>"));
        }
        if !matches!(name, "script" | "link" | "img" | "iframe" | "source" | "video" | "audio") {
            continue;
        }
        let address = attribute(&tag, "src").or_else(|| attribute(&tag, "href"));
        let elsewhere = address.filter(|to| to.starts_with("//") || to.contains("://"));
        if let Some(to) = elsewhere.filter(|_| attribute(&tag, "integrity").is_none()) {
            return Err(format!("<{name}> loads {}", to.split('?').next().unwrap_or_default()));
        }
    }
    Ok("it loads nothing from elsewhere".into())
}

/// Fields for passwords: by type, or by a name that gives a clear one away.
fn password_fields(page: &str) -> Option<Result<String, String>> {
    let inputs: Vec<String> = tags(page).filter(|tag| tag.starts_with("input")).collect();
    let fields: Vec<&String> = inputs
        .iter()
        .filter(|tag| {
            attribute(tag, "type").as_deref() == Some("password")
                || attribute(tag, "name").is_some_and(|name| name.contains("password"))
        })
        .collect();
    if fields.is_empty() {
        return None;
    }
    for tag in &fields {
        if attribute(tag, "type").as_deref() != Some("password") {
            return Some(Err("a field for a password shows what is typed".into()));
        }
        if !matches!(attribute(tag, "autocomplete").as_deref(), Some("new-password" | "current-password")) {
            return Some(Err(
                "a password field does not say autocomplete=new-password or current-password".into()
            ));
        }
        if attribute(tag, "onpaste").is_some() {
            return Some(Err("a password field minds what is pasted".into()));
        }
    }
    Some(Ok(format!("{} password fields, masked and named for password managers", fields.len())))
}

/// Every opening tag, in lower case, without its brackets.
fn tags(page: &str) -> impl Iterator<Item = String> {
    page.split('<').skip(1).filter_map(|rest| rest.split_once('>').map(|(tag, _)| tag.to_ascii_lowercase()))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let mut rest = tag;
    while let Some(at) = rest.find(name) {
        let before = rest.get(..at)?.chars().last();
        let after = rest.get(at + name.len()..)?;
        if before.is_some_and(|c| c.is_ascii_whitespace())
            && let Some(value) = after.trim_start().strip_prefix('=')
        {
            let value = value.trim_start();
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
            return Some(match quote {
                Some(quote) => value.get(1..)?.split(quote).next()?.to_owned(),
                None => value.split_ascii_whitespace().next()?.to_owned(),
            });
        }
        rest = after;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;
    use crate::world::http::answer_of;

    const CSP: &str = "default-src 'none'; style-src 'sha256-x'; base-uri 'none'; frame-ancestors 'none'";

    fn page(headers: &[(&str, &str)], body: &str) -> Seen {
        let sound = [
            ("content-type", "text/html; charset=utf-8"),
            ("x-content-type-options", "nosniff"),
            ("content-security-policy", CSP),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
        ];
        // What is given takes the place of what is sound; an empty value takes it away.
        let kept = sound.iter().filter(|(name, _)| !headers.iter().any(|(other, _)| other == name));
        let all: Vec<_> =
            kept.chain(headers.iter().filter(|(_, value)| !value.is_empty())).copied().collect();
        Seen::new("GET /reset", Kind::Open, answer_of(200, &all, body))
    }

    fn verdict(seen: Vec<Seen>, id: &str) -> Verdict {
        let claims = judge(&Surface { seen, silent: Vec::new() });
        claims.iter().find(|claim| claim.id == id).map(|claim| claim.verdict).unwrap()
    }

    #[test]
    fn a_sound_page_passes_each_claim_and_one_without_a_defence_fails_just_that() {
        let form = r#"<form><input type="password" name="password" autocomplete="new-password"></form>"#;
        for (claim, headers, body) in [
            ("every_answer_says_nosniff", vec![("x-content-type-options", "")], form),
            ("every_body_has_its_type", vec![("content-type", "text/html")], form),
            ("no_answer_names_a_version", vec![("server", "nginx/1.25.3")], form),
            (
                "pages_run_no_foreign_script",
                vec![("content-security-policy", "frame-ancestors 'none'")],
                form,
            ),
            (
                "pages_run_no_foreign_script",
                vec![(
                    "content-security-policy",
                    "default-src 'self' 'unsafe-inline'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'",
                )],
                form,
            ),
            (
                "no_page_can_be_framed",
                vec![("content-security-policy", "default-src 'none'; base-uri 'none'")],
                form,
            ),
            ("pages_tell_no_referrer", vec![("referrer-policy", "unsafe-url")], form),
            ("pages_have_a_window_of_their_own", vec![("cross-origin-opener-policy", "")], form),
            ("pages_load_nothing_foreign", vec![], "<script src=\"https://cdn.example/x.js\"></script>"),
            ("pages_load_nothing_foreign", vec![], "<embed src=x>"),
            ("password_fields_are_for_password_managers", vec![], "<input name=password type=text>"),
            ("password_fields_are_for_password_managers", vec![], "<input type=password>"),
        ] {
            assert_eq!(verdict(vec![page(&[], form)], claim), Verdict::Pass, "{claim}");
            assert_eq!(verdict(vec![page(&headers, body)], claim), Verdict::Fail, "{claim}");
            assert_eq!(verdict(vec![], claim), Verdict::NotApplicable, "{claim}");
        }
    }

    #[test]
    fn data_and_tokens_have_rules_of_their_own() {
        let json = |kind, headers: &[(&str, &str)]| {
            vec![Seen::new("GET /a", kind, answer_of(200, headers, "{\"a\":1}"))]
        };
        let sound = [
            ("content-type", "application/json"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
        ];
        for claim in
            ["data_is_never_shown_as_a_page", "tokens_are_never_stored", "private_answers_are_not_shared"]
        {
            assert_eq!(verdict(json(Kind::Token, &sound), claim), Verdict::Pass, "{claim}");
        }
        let loose = [("content-type", "text/html; charset=utf-8"), ("cache-control", "public, max-age=60")];
        for claim in
            ["data_is_never_shown_as_a_page", "tokens_are_never_stored", "private_answers_are_not_shared"]
        {
            assert_eq!(verdict(json(Kind::Token, &loose), claim), Verdict::Fail, "{claim}");
        }
        assert_eq!(
            verdict(json(Kind::Private, &sound[..2]), "private_answers_are_not_shared"),
            Verdict::Pass
        );
        assert_eq!(
            verdict(json(Kind::Open, &loose), "private_answers_are_not_shared"),
            Verdict::NotApplicable
        );
    }

    #[test]
    fn a_policy_names_no_source_but_the_pages_own() {
        for (sources, wanted) in [
            ("script-src 'self'", Verdict::Pass),
            ("script-src 'nonce-x' 'strict-dynamic' 'unsafe-inline' 'report-sample'", Verdict::Pass),
            ("script-src 'sha256-x'", Verdict::Pass),
            ("script-src https://id.example", Verdict::Pass),
            ("script-src id.example/js/", Verdict::Pass),
            ("script-src https://cdn.example", Verdict::Fail),
            ("script-src cdn.example", Verdict::Fail),
            ("script-src https://id.example.attacker.example", Verdict::Fail),
            ("script-src https://*", Verdict::Fail),
            ("script-src *.example", Verdict::Fail),
            ("script-src https:", Verdict::Fail),
            ("script-src data:", Verdict::Fail),
            ("script-src 'self' 'unsafe-eval'", Verdict::Fail),
            ("style-src https://fonts.example", Verdict::Fail),
            ("script-src 'self'; script-src-elem https://cdn.example", Verdict::Fail),
        ] {
            let policy = format!("default-src 'none'; base-uri 'none'; frame-ancestors 'none'; {sources}");
            let seen = page(&[("content-security-policy", &policy)], "").at("https://id.example/reset");
            assert_eq!(verdict(vec![seen], "pages_run_no_foreign_script"), wanted, "{sources}");
        }
    }

    #[test]
    fn what_does_not_answer_leaves_the_rest_open() {
        let seen = vec![page(&[], "<form></form>")];
        let surface = Surface { seen, silent: vec!["GET /a: connection refused".into()] };
        assert!(judge(&surface).iter().all(|claim| claim.verdict == Verdict::NotProven));
        let seen = vec![page(&[("x-content-type-options", "")], "")];
        let surface = Surface { seen, silent: vec!["GET /a: connection refused".into()] };
        assert_eq!(judge(&surface)[0].verdict, Verdict::Fail);
    }

    #[test]
    fn where_nothing_answers_nothing_is_shown() {
        let surface = Surface { seen: Vec::new(), silent: vec!["GET /: connection refused".into()] };
        assert!(judge(&surface).iter().all(|claim| claim.verdict == Verdict::NotProven));
    }
}
