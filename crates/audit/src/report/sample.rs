//! A report with something of everything, for the tests of the formats.

use crate::evidence::Evidence;
use crate::measures::MeasureId;
use crate::report::{
    Answered, Asvs, Cell, Change, Claim, Drift, Matrix, Measure, Report, Row, Run, SCHEMA, Waiver, rfc3339,
};
use crate::since::Regression;
use crate::verdict::Verdict;

/// When it was made.
pub(crate) const STARTED: i64 = 1_795_536_000;

/// What no form may take for markup.
pub(crate) const HOSTILE: &str = "<script>alert(\"1\")</script> | `x` ]]> & 'y'";

fn claim(mut claim: Claim, sentence: &str, asvs: &[&str], cwe: &[u32]) -> Claim {
    claim.sentence = sentence.into();
    claim.asvs = asvs.iter().map(|id| (*id).to_owned()).collect();
    claim.cwe = cwe.to_vec();
    claim
}

fn measure(id: MeasureId, line: &str, claims: Vec<Claim>) -> Measure {
    let mut measure = Measure { id, line: line.into(), verdict: Verdict::Pass, claims, value: None };
    measure.verdict = measure.proven();
    measure
}

fn cell(status: Option<u16>, verdict: Verdict) -> Cell {
    Cell { status, verdict }
}

/// A run that found these verdicts: a measure each, of one claim.
pub(crate) fn of(environment: &str, started_at: i64, verdicts: &[(MeasureId, Verdict)]) -> Report {
    let measures = verdicts.iter().map(|(id, verdict)| {
        measure(*id, id.sentence(), vec![Claim::pass("a_claim", Vec::new()).but(*verdict)])
    });
    let run = Run {
        started: rfc3339(started_at),
        started_at,
        environment: environment.into(),
        target: "http://t".into(),
        issuer: "http://i/".into(),
        version: "0".into(),
        id: "x".into(),
        ..Run::default()
    };
    Report { schema: SCHEMA, run, measures: measures.collect(), ..Report::default() }
}

/// Something of everything.
pub(crate) fn report() -> Report {
    let mut seen =
        Evidence::http("GET /orders with no token was refused: 401").beside("the right token: 200");
    seen.request = Some("GET https://internal.example/orders\nauthorization: none".into());
    seen.response = Some("401\nwww-authenticate: Bearer".into());
    let mut a10 = measure(
        MeasureId::A10,
        "The JWT expires after X minutes.",
        vec![
            claim(
                Claim::pass(
                    "the_lifetime_is_bounded",
                    vec![Evidence::http(format!(
                        "900 s were found at https://api.internal.example/{}",
                        "long".repeat(40)
                    ))],
                ),
                "a token lives no longer than configured",
                &["V9.2.1"],
                &[613],
            ),
            claim(
                Claim::not_proven(
                    "an_expired_token_is_refused",
                    vec![Evidence::file("no token of an earlier run was kept")],
                    "run it again after the token's end",
                ),
                "an expired token is refused",
                &["V9.2.1"],
                &[613],
            ),
        ],
    );
    a10.value = Some("15 min, access_token_lifetime".into());
    let mut superseded = measure(
        MeasureId::A5,
        "Partners use a static API-Key.",
        vec![claim(
            Claim::pass("nobody_gets_in_without_a_token", vec![seen]),
            "no token, no answer",
            &[],
            &[],
        )],
    );
    superseded.verdict = Verdict::Superseded;
    let n2 = measure(
        MeasureId::N2,
        &format!("CORS {HOSTILE}"),
        vec![claim(
            Claim::fail(
                "strangers_are_refused",
                vec![Evidence::http(format!("https://evil.example was let in: {HOSTILE}"))],
                "list the frontend's origin alone in gateway.frontend_origins",
            ),
            "no origin but the frontend's is let in",
            &["V3.4.2"],
            &[942],
        )],
    );
    let waived = measure(
        MeasureId::A4,
        "That password is rotated every X months.",
        vec![
            Claim::not_proven(
                "the_password_is_young",
                vec![Evidence::configuration("no database is adopted")],
                "portcullis database adopt",
            )
            .but(Verdict::Waived),
        ],
    );
    let delegated = measure(
        MeasureId::A1,
        "No plain passwords are stored.",
        vec![Claim::pass("every_row_is_hashed", Vec::new()).but(Verdict::Delegated)],
    );
    let nothing = measure(
        MeasureId::A8,
        "Auth0.",
        vec![
            Claim::pass("the_issuer_is_foreign", vec![Evidence::configuration("users live here")])
                .but(Verdict::NotApplicable),
        ],
    );
    Report {
        schema: SCHEMA,
        run: Run {
            started: rfc3339(STARTED),
            started_at: STARTED,
            environment: "staging".into(),
            vantages: vec![crate::evidence::Vantage::Http, crate::evidence::Vantage::Files],
            target: "https://api.internal.example".into(),
            issuer: "https://auth.internal.example/".into(),
            version: "0.1.0".into(),
            id: "0123456789abcdef".into(),
            valid_until: Some(rfc3339(STARTED + 7 * 86_400)),
            previous: Some("ab".repeat(32)),
            commit: Some("3f2c1ab94bd5c02f5f2f9d2c8f3d7f0a11223344".into()),
            challenge: Some("7f3a".into()),
            notes: vec!["requests without an Origin pass CORS, and must".into()],
        },
        measures: vec![delegated, waived, superseded, nothing, a10, n2],
        regressions: vec![Regression {
            measure: MeasureId::N2,
            claim: Some("strangers_are_refused".into()),
            was: Verdict::Pass,
            is: Some(Verdict::Fail),
        }],
        drift: vec![
            Drift {
                measure: MeasureId::N2,
                claim: Some("strangers_are_refused".into()),
                change: Change::Regressed,
                was: Verdict::Pass,
                is: Some(Verdict::Fail),
            },
            Drift {
                measure: MeasureId::A10,
                claim: Some("the_lifetime_is_bounded".into()),
                change: Change::Fixed,
                was: Verdict::NotProven,
                is: Some(Verdict::Pass),
            },
        ],
        waivers: vec![Waiver {
            of: "A4".into(),
            reason: "adopted after the move".into(),
            owner: "Ada".into(),
            expires: rfc3339(STARTED + 30 * 86_400),
            since: rfc3339(STARTED - 86_400),
            applies: true,
        }],
        matrix: Some(Matrix {
            attempts: vec!["no token".into(), "an expired token".into(), "the right token".into()],
            rows: vec![
                Row {
                    method: "GET".into(),
                    path: "/orders/{id}".into(),
                    caller: "user".into(),
                    cells: vec![
                        cell(Some(401), Verdict::Pass),
                        cell(None, Verdict::NotProven),
                        cell(Some(200), Verdict::Pass),
                    ],
                },
                Row {
                    method: "POST".into(),
                    path: HOSTILE.into(),
                    caller: "client".into(),
                    cells: vec![
                        cell(Some(200), Verdict::Fail),
                        cell(Some(401), Verdict::Pass),
                        cell(None, Verdict::NotApplicable),
                    ],
                },
            ],
        }),
        asvs: Some(Asvs {
            edition: "5.0.0".into(),
            answered: vec![
                Answered {
                    requirement: "V3.4.2".into(),
                    verdict: Verdict::Fail,
                    claims: vec!["N2/strangers_are_refused".into()],
                },
                Answered {
                    requirement: "V9.2.1".into(),
                    verdict: Verdict::NotProven,
                    claims: vec!["A10/an_expired_token_is_refused".into()],
                },
            ],
            unanswered: vec!["V1.1.1".into(), "V1.1.2".into()],
        }),
        signature: None,
    }
}

/// The report before it: N2 held, and A10 did not yet.
pub(crate) fn earlier() -> Report {
    let mut earlier = report();
    earlier.run.id = "fedcba9876543210".into();
    earlier.run.started_at = STARTED - 86_400;
    earlier.run.started = rfc3339(STARTED - 86_400);
    earlier.regressions.clear();
    earlier.drift.clear();
    for measure in &mut earlier.measures {
        for claim in &mut measure.claims {
            match claim.id.as_str() {
                "strangers_are_refused" => claim.verdict = Verdict::Pass,
                "the_lifetime_is_bounded" => claim.verdict = Verdict::NotProven,
                _ => {}
            }
        }
        if measure.verdict != Verdict::Superseded {
            measure.verdict = measure.proven();
        }
    }
    earlier
}
