//! Every endpoint by every kind of credential: what was let in and what was refused, cell by cell.

use std::fmt::Write as _;

use super::{short, svg};
use crate::report::Matrix;
use crate::report::shown::{class, escaped, mark, word};
use crate::verdict::Verdict;

/// Pixels: a cell, the head of the columns, a letter of the names.
const CELL: (usize, usize) = (44, 22);
const LETTER: usize = 7;
const LONGEST: usize = 52;

/// The matrix as a picture. A cell's colour and sign say whether it is as it should be; the number is the status.
#[must_use]
pub fn matrix_svg(matrix: &Matrix) -> String {
    let names: Vec<String> =
        matrix.rows.iter().map(|row| format!("{} {} ({})", row.method, row.path, row.caller)).collect();
    let longest = names.iter().map(|name| name.chars().count().min(LONGEST)).max().unwrap_or(0);
    let left = longest * LETTER + 12;
    let head_letters =
        matrix.attempts.iter().map(|attempt| attempt.chars().count().min(40)).max().unwrap_or(0);
    // The heads stand at sixty degrees: so high, and so much beyond the last column.
    let head = head_letters * LETTER * 9 / 10 + 16;
    let beyond = head_letters * LETTER / 2 + 12;
    let width = left + matrix.attempts.len() * CELL.0 + beyond;
    let height = head + matrix.rows.len() * CELL.1 + 34;

    let mut inside = String::new();
    for (at, attempt) in matrix.attempts.iter().enumerate() {
        let (x, y) = (left + at * CELL.0 + CELL.0 / 2, head - 6);
        let _ = write!(
            inside,
            "<text x=\"{x}\" y=\"{y}\" transform=\"rotate(-60 {x} {y})\"><title>{}</title>{}</text>",
            escaped(attempt),
            escaped(&short(attempt, 40))
        );
    }
    for (at, (row, name)) in matrix.rows.iter().zip(&names).enumerate() {
        let y = head + at * CELL.1;
        let _ = write!(
            inside,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\"><title>{}</title>{}</text>",
            left - 8,
            y + 15,
            escaped(name),
            escaped(&short(name, LONGEST))
        );
        for (column, cell) in row.cells.iter().enumerate().take(matrix.attempts.len()) {
            let attempt = matrix.attempts.get(column).map(String::as_str).unwrap_or_default();
            let class = class(cell.verdict);
            let status = cell.status.map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            let said = format!("{} {}, {attempt}: {status}, {}", row.method, row.path, told(cell.verdict));
            let number = cell.status.map(|status| status.to_string()).unwrap_or_default();
            let x = left + column * CELL.0;
            let _ = write!(
                inside,
                "<g><title>{}</title><rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"2\"/>\
                 <text class=\"{class}\" x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}{number}</text></g>",
                escaped(&said),
                x + 1,
                y + 1,
                CELL.0 - 2,
                CELL.1 - 2,
                x + CELL.0 / 2,
                y + 15,
                mark(cell.verdict),
            );
        }
    }
    let count = |wanted: Verdict| {
        matrix.rows.iter().flat_map(|row| &row.cells).filter(|cell| cell.verdict == wanted).count()
    };
    let legend = [Verdict::Pass, Verdict::Fail, Verdict::NotProven, Verdict::NotApplicable]
        .map(|verdict| format!("{} {} {}", mark(verdict), count(verdict), told(verdict)))
        .join("   ");
    let _ = write!(inside, "<text class=\"quiet\" x=\"4\" y=\"{}\">{}</text>", height - 8, escaped(&legend));
    let title = format!(
        "{} endpoints by {} kinds of credentials: {} as it should be, {} not, {} not proven",
        matrix.rows.len(),
        matrix.attempts.len(),
        count(Verdict::Pass),
        count(Verdict::Fail),
        count(Verdict::NotProven)
    );
    svg(width.max(legend.chars().count() * LETTER + 8), height, &title, &inside)
}

fn told(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "as it should be",
        Verdict::Fail => "not as it should be",
        Verdict::NotApplicable => "nothing to try",
        other => word(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn every_cell_says_in_words_what_it_shows() {
        let svg = matrix_svg(&sample::report().matrix.unwrap());
        assert_eq!(svg.matches("<rect ").count(), 6);
        assert!(svg.contains("<title>GET /orders/{id}, no token: 401, as it should be</title>"), "{svg}");
        assert!(svg.contains("an expired token: no answer, not proven"), "{svg}");
        assert!(svg.contains("class=\"fails\"") && svg.contains("✗200"), "{svg}");
        assert!(
            svg.contains("2 endpoints by 3 kinds of credentials: 3 as it should be, 1 not, 1 not proven")
        );
        assert!(!svg.contains("<script>") && !svg.contains("style="), "{svg}");
    }

    #[test]
    fn nothing_and_a_crooked_row_are_drawn_too() {
        let mut matrix = sample::report().matrix.unwrap();
        matrix.attempts.truncate(1);
        assert_eq!(matrix_svg(&matrix).matches("<rect ").count(), 2, "cells without a column are left out");
        matrix.rows.clear();
        matrix.attempts.clear();
        assert!(matrix_svg(&matrix).ends_with("</svg>"));
    }
}
