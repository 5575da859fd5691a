//! The pages, rendered from plain data. They work without JavaScript and load nothing: one style, and that of the
//! pictures, allowed by their hashes.

use std::sync::LazyLock;

use askama::Template;
use base64::Engine as _;

use super::board::{Board, Cell, Environment, Line, Mark, age};

/// The one style of every page.
const STYLE: &str = include_str!("style.css");

/// A page and what it may do.
pub(super) struct Page {
    pub(super) text: String,
    pub(super) policy: String,
}

/// Nothing but these styles, forms to ourselves, and no frame around us.
fn policy(styles: &[&str]) -> String {
    let hashes = styles.iter().filter(|style| !style.is_empty()).map(|style| {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
        format!(" 'sha256-{}'", base64::engine::general_purpose::STANDARD.encode(digest))
    });
    format!(
        "default-src 'none'; style-src{}; form-action 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'",
        hashes.collect::<String>()
    )
}

static POLICY: LazyLock<String> = LazyLock::new(|| policy(&[STYLE]));

fn render(template: &impl Template, policy: String) -> Page {
    let text = template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        "The page cannot be shown.".to_owned()
    });
    Page { text, policy }
}

#[derive(Template)]
#[template(path = "console/message.html")]
struct Message<'a> {
    style: &'static str,
    title: &'a str,
    text: &'a str,
    board: &'a str,
}

/// A page that says one thing.
pub(super) fn message(title: &str, text: &str, board: &str) -> Page {
    render(&Message { style: STYLE, title, text, board }, POLICY.clone())
}

#[derive(Template)]
#[template(path = "console/link.html")]
struct Link<'a> {
    style: &'static str,
    service: &'a str,
    action: &'a str,
    token: &'a str,
}

/// The page behind a one-time link: one button.
pub(super) fn link(service: &str, action: &str, token: &str) -> Page {
    render(&Link { style: STYLE, service, action, token }, POLICY.clone())
}

#[derive(Template)]
#[template(path = "console/stranger.html")]
struct Stranger<'a> {
    style: &'static str,
    service: &'a str,
    form: Option<&'a str>,
    problem: Option<&'a str>,
    audience: &'a str,
}

/// How to get in.
pub(super) fn stranger(service: &str, form: Option<&str>, problem: Option<&str>, audience: &str) -> Page {
    render(&Stranger { style: STYLE, service, form, problem, audience }, POLICY.clone())
}

#[derive(Template)]
#[template(path = "console/board.html")]
struct Shown<'a> {
    style: &'static str,
    picture_style: &'static str,
    service: &'a str,
    logout: &'a str,
    document: Option<&'a str>,
    environments: Vec<ShownEnvironment<'a>>,
    lines: Vec<ShownLine<'a>>,
    beyond: Vec<ShownLine<'a>>,
    unmeasured: Vec<&'a str>,
    /// Whether there are several environments to tell apart.
    many: bool,
}

struct ShownEnvironment<'a> {
    of: &'a Environment,
    age: String,
    ticked: usize,
    total: usize,
}

struct ShownLine<'a> {
    text: &'a str,
    depth: usize,
    age: String,
    cells: Vec<ShownCell<'a>>,
}

struct ShownCell<'a> {
    of: &'a Cell,
    environment: &'a str,
    short: String,
}

/// The board.
pub(super) fn board(service: &str, board: &Board, logout: &str) -> Page {
    let lines = |lines: &'_ [Line]| -> Vec<usize> {
        (0..board.environments.len())
            .map(|at| lines.iter().filter(|line| line.cells.get(at).is_some_and(is_ticked)).count())
            .collect()
    };
    let ticked = lines(&board.lines);
    let environments = board.environments.iter().zip(ticked).map(|(of, ticked)| ShownEnvironment {
        of,
        age: age(board.now, of.started_at),
        ticked,
        total: board.lines.len(),
    });
    let shown = Shown {
        style: STYLE,
        picture_style: board.picture_style,
        service,
        logout,
        document: board.document.as_deref(),
        environments: environments.collect(),
        lines: board.lines.iter().map(|line| shown(board, line)).collect(),
        beyond: board.beyond.iter().map(|line| shown(board, line)).collect(),
        unmeasured: board
            .lines
            .iter()
            .filter(|line| is_unmeasured(line))
            .map(|line| line.text.as_str())
            .collect(),
        many: board.environments.len() > 1,
    };
    render(&shown, policy(&[board.picture_style, STYLE]))
}

fn is_ticked(cell: &Cell) -> bool {
    cell.mark == Mark::Ticked
}

fn is_unmeasured(line: &Line) -> bool {
    !line.cells.is_empty() && line.cells.iter().all(|cell| cell.mark == Mark::NotMeasured)
}

fn shown<'a>(board: &'a Board, line: &'a Line) -> ShownLine<'a> {
    let newest = line.cells.iter().filter_map(|cell| cell.at).max();
    let cells = board.environments.iter().zip(&line.cells).map(|(environment, of)| ShownCell {
        of,
        environment: &environment.name,
        short: short(&environment.name),
    });
    ShownLine {
        text: &line.text,
        depth: line.depth.min(3),
        age: newest.map(|at| age(board.now, at)).unwrap_or_default(),
        cells: cells.collect(),
    }
}

/// An environment's name where there is little room.
fn short(name: &str) -> String {
    match name {
        "development" => "dev".to_owned(),
        other => other.chars().take(4).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::board::{Claim, Drift, Measure, Seen};
    use super::*;

    const EVIL: &str = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>";

    fn evil_board() -> Board {
        let cell = Cell {
            mark: Mark::Failed,
            evidence: EVIL.to_owned(),
            at: Some(0),
            measures: vec![Measure {
                id: EVIL.to_owned(),
                sentence: EVIL.to_owned(),
                verdict: EVIL.to_owned(),
                mark: Mark::Failed,
                value: Some(EVIL.to_owned()),
                claims: vec![Claim {
                    sentence: EVIL.to_owned(),
                    verdict: EVIL.to_owned(),
                    mark: Mark::Failed,
                    seen: vec![Seen {
                        what: EVIL.to_owned(),
                        control: Some(EVIL.to_owned()),
                        exchange: Some(EVIL.to_owned()),
                        from: EVIL.to_owned(),
                    }],
                    remedy: EVIL.to_owned(),
                    answers: vec![EVIL.to_owned()],
                }],
                history: Some("<svg id=\"history\"></svg>".to_owned()),
            }],
        };
        let line = Line { text: EVIL.to_owned(), depth: 9, cells: vec![cell.clone(), cell] };
        let environment = Environment {
            name: EVIL.to_owned(),
            started: EVIL.to_owned(),
            target: EVIL.to_owned(),
            commit: Some(EVIL.to_owned()),
            digest: EVIL.to_owned(),
            signature: EVIL.to_owned(),
            drift: vec![Drift { how: EVIL.to_owned(), what: EVIL.to_owned(), worse: true }],
            notes: vec![EVIL.to_owned()],
            matrix: Some("<svg id=\"matrix\"></svg>".to_owned()),
            matrix_says: EVIL.to_owned(),
            history: Some("<svg id=\"all\"></svg>".to_owned()),
            ..Environment::default()
        };
        Board {
            now: 0,
            environments: vec![environment.clone(), environment],
            lines: vec![line.clone()],
            beyond: vec![line],
            document: Some(EVIL.to_owned()),
            picture_style: ".picture{}",
        }
    }

    #[test]
    fn the_policy_names_the_hash_of_the_style_that_is_sent() {
        for page in [message("t", "x", "/console"), board("s", &evil_board(), "/console/logout")] {
            let styles: Vec<&str> = page
                .text
                .split("<style>")
                .skip(1)
                .map(|rest| rest.split("</style>").next().unwrap())
                .collect();
            for style in &styles {
                let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, style.as_bytes());
                let hash = base64::engine::general_purpose::STANDARD.encode(digest);
                assert!(page.policy.contains(&format!("'sha256-{hash}'")), "{}", page.policy);
            }
            assert_eq!(page.policy.matches("sha256").count(), styles.len());
            assert!(!page.policy.contains("unsafe"));
            assert!(!page.text.contains(" style=\""));
        }
    }

    #[test]
    fn every_word_is_escaped_and_pictures_are_not() {
        let pages = [
            board(EVIL, &evil_board(), EVIL),
            message(EVIL, EVIL, EVIL),
            link(EVIL, EVIL, EVIL),
            stranger(EVIL, Some(EVIL), Some(EVIL), EVIL),
        ];
        for page in &pages {
            assert!(!page.text.contains("<script") && !page.text.contains("<img"), "{}", page.text);
            assert!(!page.text.contains("\"'>"), "{}", page.text);
        }
        assert!(
            pages[0].text.contains("<svg id=\"matrix\">") && pages[0].text.contains("<svg id=\"history\">")
        );
    }

    #[test]
    fn a_line_without_a_measure_is_listed_and_counts_as_not_proven() {
        let line = |text: &str, mark| Line {
            text: text.to_owned(),
            cells: vec![Cell { mark, ..Cell::default() }],
            ..Line::default()
        };
        let shown = Board {
            environments: vec![Environment {
                name: "production".to_owned(),
                proven: 4,
                measures: 13,
                ..Environment::default()
            }],
            document: Some("measures.md".to_owned()),
            lines: vec![
                line("first", Mark::Ticked),
                line("second", Mark::NotMeasured),
                line("third", Mark::Stale),
            ],
            ..Board::default()
        };
        let page = board("x", &shown, "/console/logout").text;
        assert!(page.contains("1 of 3 lines proven") && page.contains("4 of 13 measures"), "{page}");
        let without = board("x", &Board { document: None, ..shown.clone() }, "/console/logout").text;
        assert!(
            without.contains("4 of 13 measures proven") && !without.contains("lines proven"),
            "{without}"
        );
        let listed = page.split("<h2>Not measured</h2>").nth(1).unwrap();
        assert!(listed.contains("<li>second</li>") && !listed.contains("<li>third</li>"));
        assert!(page.contains("production: stale"));
    }

    #[test]
    fn without_a_report_it_says_how_to_get_one() {
        let page = board("x", &Board::default(), "/console/logout").text;
        assert!(page.contains("portcullis audit"), "{page}");
    }
}
