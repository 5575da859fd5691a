//! `--format html`: one file to keep, print and send. It loads nothing: one style, allowed by its hash, no script.
//!
//! [`Sharing::Public`] is for strangers: sentences, verdicts, ages, counts and the digest; no host, path, request, evidence,
//! remedy, setting or name.

use askama::Template;
use base64::Engine as _;

use crate::document::Document;
use crate::measures::MeasureId;
use crate::report::picture::{self, history_svg, matrix_svg, measure_history_svg};
use crate::report::shown::{
    age, claim_of, class, counted, mark, parts, proven, spoken, stale, unnamed, word,
};
use crate::report::text::{asvs_counted, not_measured};
use crate::report::{
    Answered, Asvs, Change, Claim, Measure, Rendering, Report, Run, Waiver, hex_sha256, json, summary,
};
use crate::verdict::Verdict;

/// Who may read the page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sharing {
    /// The team: everything.
    #[default]
    Internal,
    /// Anybody.
    Public,
}

/// Around the pictures' own style.
const STYLE: &str = "*{box-sizing:border-box}html{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;color:var(--ink);background:var(--ground);margin:0;overflow-wrap:anywhere}\
main{max-width:72rem;margin:0 auto;padding:1.5rem 1rem 4rem}h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.2rem;margin:2.5rem 0 .75rem}h3{font-size:1rem;margin:0;font-weight:600}\
p{margin:.25rem 0}.quiet,dt{color:var(--quiet)}.sum{font-size:1.15rem;font-weight:600;margin:.75rem 0}.stale{border:2px solid var(--fails);padding:.5rem .75rem;color:var(--fails);font-weight:600}\
article{border:1px solid var(--line);border-left-width:.4rem;border-radius:.3rem;padding:.75rem 1rem;margin:.75rem 0}\
article.holds{border-left-color:var(--holds)}article.fails{border-left-color:var(--fails)}article.open{border-left-color:var(--open);border-left-style:dashed}article.aside{border-left-color:var(--aside)}\
.verdict{display:inline-block;border-radius:.25rem;padding:0 .45rem;font-weight:600;font-size:.9rem;margin-right:.4rem;white-space:nowrap}\
.verdict.holds{color:var(--holds);background:var(--holds-soft)}.verdict.fails{color:var(--fails);background:var(--fails-soft)}.verdict.open{color:var(--open);background:var(--open-soft)}\
.verdict.aside{color:var(--aside);background:var(--aside-soft)}.verdict.none{color:var(--none);background:var(--none-soft)}\
details{margin:.4rem 0 .4rem .25rem}summary{cursor:pointer;padding:.15rem 0}summary:focus-visible,.scroll:focus-visible{outline:3px solid var(--aside);outline-offset:2px}details>div{padding:.25rem 0 .25rem 1.25rem}\
pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--none-soft);color:var(--ink);padding:.5rem;margin:.25rem 0;font-size:.85rem}code{overflow-wrap:anywhere}ul{margin:.25rem 0;padding-left:1.25rem}\
dl{display:grid;grid-template-columns:max-content 1fr;gap:.1rem 1rem;margin:.5rem 0}dd{margin:0;overflow-wrap:anywhere}.scroll{overflow-x:auto}.scroll .picture{max-width:none}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.25rem .6rem .25rem 0;border-bottom:1px solid var(--line)}\
@media(max-width:40rem){dl{grid-template-columns:1fr}}\
@media print{main{max-width:none;padding:0}article{break-inside:avoid}details::details-content{content-visibility:visible;block-size:auto}.scroll{overflow:visible}.scroll .picture{max-width:100%}}";

/// The page. `with` has the time, the history, the document, and who may read it.
#[must_use]
pub fn render(report: &Report, with: &Rendering<'_>) -> String {
    let style = format!("{}{STYLE}", picture::STYLE);
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
    let hash = base64::engine::general_purpose::STANDARD.encode(digest);
    let bytes = with.bytes.map_or_else(|| json::render(report), str::to_owned);
    let internal = with.sharing == Sharing::Internal;
    let says = if internal { spoken } else { unnamed };
    let (own, beyond) = parts(report);
    // A report that is shown again knows nothing of those after it.
    let before =
        |other: &&Report| other.run.started_at <= report.run.started_at && other.run.id != report.run.id;
    let mut history: Vec<Report> = with.history.iter().filter(before).cloned().collect();
    history.push(report.clone());
    let (holds, of) = proven(report);
    let page = Page {
        style: &style,
        hash: &hash,
        internal,
        run: &report.run,
        age: age(report, with.now),
        stale: stale(report, with.now),
        sum: format!("{holds} of {of} measures proven"),
        counted: counted(own.iter().copied()),
        beyond_counted: counted(beyond.iter().copied()),
        measures: own.into_iter().map(|one| shown(one, says, &history)).collect(),
        beyond: beyond.into_iter().map(|one| shown(one, says, &history)).collect(),
        endpoints: report.matrix.as_ref().map_or(0, |matrix| matrix.rows.len()),
        matrix: report.matrix.as_ref().filter(|_| internal).map(matrix_svg),
        history: (history.len() > 1).then(|| history_svg(&history)),
        drift: drift(report, says),
        waivers: &report.waivers,
        unmeasured: with.document.map(unmeasured).unwrap_or_default(),
        asvs: report.asvs.as_ref(),
        asvs_counted: report.asvs.as_ref().map(asvs_counted).unwrap_or_default(),
        answered: report.asvs.as_ref().map(|asvs| answered(report, asvs)).unwrap_or_default(),
        digest: hex_sha256(bytes.as_bytes()),
        signed: report.signature.is_some(),
    };
    // A template of ours, filled with plain values, writes to memory: what could fail is the memory.
    page.render().unwrap_or_default()
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    style: &'a str,
    hash: &'a str,
    internal: bool,
    run: &'a Run,
    age: String,
    stale: bool,
    sum: String,
    counted: String,
    beyond_counted: String,
    measures: Vec<Shown<'a>>,
    beyond: Vec<Shown<'a>>,
    endpoints: usize,
    matrix: Option<String>,
    history: Option<String>,
    drift: Vec<[String; 4]>,
    waivers: &'a [Waiver],
    unmeasured: Vec<String>,
    asvs: Option<&'a Asvs>,
    asvs_counted: String,
    answered: Vec<(&'a str, &'static str, String)>,
    digest: String,
    signed: bool,
}

/// What a claim says, to those who read the page.
type Says = fn(MeasureId, &Claim) -> String;

/// A measure as the page shows it.
struct Shown<'a> {
    measure: &'a Measure,
    verdict: Sign,
    summary: String,
    claims: Vec<(Sign, String, &'a Claim)>,
    history: Option<String>,
}

/// A verdict: its class, its mark, its word.
struct Sign {
    class: &'static str,
    mark: char,
    word: &'static str,
}

impl Sign {
    fn of(verdict: Verdict) -> Self {
        Self { class: class(verdict), mark: mark(verdict), word: word(verdict) }
    }
}

fn shown<'a>(measure: &'a Measure, says: Says, history: &[Report]) -> Shown<'a> {
    Shown {
        measure,
        verdict: Sign::of(measure.verdict),
        summary: summary(measure),
        claims: measure
            .claims
            .iter()
            .map(|claim| (Sign::of(claim.verdict), says(measure.id, claim), claim))
            .collect(),
        history: (history.len() > 1).then(|| measure_history_svg(history, measure.id)),
    }
}

/// Change, what, was, is.
fn drift(report: &Report, says: Says) -> Vec<[String; 4]> {
    report
        .drift
        .iter()
        .map(|drift| {
            let change = match drift.change {
                Change::Regressed => "regressed",
                Change::Fixed => "fixed",
                Change::Stale => "stale",
                Change::VantageLost => "vantage lost",
            };
            let says = |id: &String| says(drift.measure, &claim_of(report, drift.measure, id));
            let claim = drift.claim.as_ref().map(|id| format!(", {}", says(id)));
            [
                change.to_owned(),
                format!("{}{}", drift.measure, claim.unwrap_or_default()),
                word(drift.was).to_owned(),
                drift.is.map_or("gone", word).to_owned(),
            ]
        })
        .collect()
}

/// Requirement, verdict, and the claims that answer it: `N2, no origin but the frontend's is let in`.
fn answered<'a>(report: &Report, asvs: &'a Asvs) -> Vec<(&'a str, &'static str, String)> {
    let says = |path: &String| {
        let found = path.split_once('/').and_then(|(id, claim)| Some((MeasureId::parse(id)?, claim)));
        found.map_or_else(
            || path.clone(),
            |(id, claim)| format!("{id}, {}", spoken(id, &claim_of(report, id, claim))),
        )
    };
    let claims = |one: &Answered| one.claims.iter().map(says).collect::<Vec<_>>().join("; ");
    asvs.answered.iter().map(|one| (one.requirement.as_str(), word(one.verdict), claims(one))).collect()
}

fn unmeasured(document: &Document) -> Vec<String> {
    not_measured(document).into_iter().map(|(_, text)| text.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    fn page(sharing: Sharing) -> String {
        let history = [sample::earlier()];
        let document = Document::parse("- [ ] CORS.\n- [ ] Lunch is at noon.\n");
        let with = Rendering {
            now: sample::STARTED + 3600,
            history: &history,
            document: Some(&document),
            sharing,
            ..Rendering::default()
        };
        render(&sample::report(), &with)
    }

    #[test]
    fn the_policy_names_the_hash_of_the_one_style_and_nothing_is_loaded() {
        let page = page(Sharing::Internal);
        let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
        let hash = base64::engine::general_purpose::STANDARD.encode(digest);
        assert!(page.contains(&format!("default-src 'none'; style-src 'sha256-{hash}'")));
        for never in ["<script", "style=\"", "href=", "src=", "<img", "@import", "url("] {
            assert!(!page.contains(never), "{never}");
        }
    }

    #[test]
    fn the_team_sees_everything() {
        let page = page(Sharing::Internal);
        for part in [
            "1 of 5 measures proven",
            "1 h old",
            "valid until 2026-12-01T16:00:00Z",
            "The JWT expires after X minutes.",
            "15 min, access_token_lifetime",
            "an expired token is refused",
            "no token of an earlier run was kept",
            "the right token: 200",
            "GET https://internal.example/orders",
            "run it again after the token",
            "V9.2.1",
            "CWE-613",
            "adopted after the move",
            "Lunch is at noon.",
            "<li>V3.4.2: fail (N2, no origin but the frontend&#39;s is let in)</li>",
            "2 endpoints by 3 kinds of credentials",
            "The measures over the last 2 runs",
            "regressed",
            "&#60;script&#62;alert",
        ] {
            assert!(page.contains(part), "{part}\n{page}");
        }
        let digest = hex_sha256(json::render(&sample::report()).as_bytes());
        assert!(page.contains(&digest));
    }

    #[test]
    fn strangers_see_sentences_verdicts_ages_counts_and_the_digest() {
        let page = page(Sharing::Public);
        for part in [
            "<td>N2, no origin but the frontend&#39;s is let in</td>",
            "The JWT expires after X minutes.",
            "an expired token is refused",
            "not proven",
            "1 h old",
            "2 endpoints",
        ] {
            assert!(page.contains(part), "{part}");
        }
        for never in [
            "internal.example",
            "/orders",
            "access_token_lifetime",
            "no token of an earlier",
            "the right token",
            "run it again",
            "frontend_origins",
            "evil.example",
            "adopted after",
            "Ada",
            "0123456789abcdef",
            "401",
            "3f2c1ab94bd5",
            "portcullis database adopt",
            "requests without an Origin",
        ] {
            assert!(!page.contains(never), "{never}");
        }
    }
}
