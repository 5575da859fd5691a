//! The formats of the report by name, and what each may want to know beside the report.

use crate::document::Document;
use crate::report::html::Sharing;
use crate::report::sarif::Anchors;
use crate::report::{Report, badge, difference, html, json, junit, markdown, oscal, prometheus, sarif, text};

/// A format of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// For people at a terminal.
    Text,
    /// The team's document, boxes by evidence; without one, the run on one page.
    Markdown,
    /// What changed since the earlier report, in Markdown.
    Difference,
    /// The whole report: the truth that the others are made of.
    Json,
    /// Findings for code scanning.
    Sarif,
    /// Test results for CI.
    Junit,
    /// One page, to keep and to share.
    Html,
    /// OSCAL assessment results.
    Oscal,
    /// Gauges.
    Prometheus,
    /// One SVG.
    Badge,
}

impl Format {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Text,
        Self::Markdown,
        Self::Difference,
        Self::Json,
        Self::Sarif,
        Self::Junit,
        Self::Html,
        Self::Oscal,
        Self::Prometheus,
        Self::Badge,
    ];

    /// As the command line names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Markdown => "markdown",
            Self::Difference => "difference",
            Self::Json => "json",
            Self::Sarif => "sarif",
            Self::Junit => "junit",
            Self::Html => "html",
            Self::Oscal => "oscal",
            Self::Prometheus => "prometheus",
            Self::Badge => "badge",
        }
    }

    /// By its name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == name)
    }

    /// By the name of the file that it is written to: the longest ending that fits. `.json` is the report itself.
    #[must_use]
    pub fn of_file(name: &str) -> Option<Self> {
        let name = name.to_ascii_lowercase();
        let endings = [
            (".oscal.json", Self::Oscal),
            (".sarif.json", Self::Sarif),
            (".difference.md", Self::Difference),
            (".sarif", Self::Sarif),
            (".json", Self::Json),
            (".xml", Self::Junit),
            (".md", Self::Markdown),
            (".html", Self::Html),
            (".prom", Self::Prometheus),
            (".svg", Self::Badge),
            (".txt", Self::Text),
        ];
        endings.into_iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, format)| format)
    }
}

/// What a format may want to know beside the report; everything may be missing.
#[derive(Clone, Debug, Default)]
pub struct Rendering<'a> {
    /// Unix seconds: ages are counted to it.
    pub now: i64,
    /// The team's document.
    pub document: Option<&'a Document>,
    /// Reports of other environments.
    pub with: &'a [Report],
    /// The report of `--since`.
    pub earlier: Option<&'a Report>,
    /// Earlier reports of the same environment, the oldest first.
    pub history: &'a [Report],
    /// The report's own bytes, where they exist already: printed as they are.
    pub bytes: Option<&'a str>,
    /// Where findings are pinned to.
    pub anchors: Anchors,
    /// Who may read the page.
    pub sharing: Sharing,
    /// A terminal reads.
    pub coloured: bool,
}

/// The report in a format.
#[must_use]
pub fn render(format: Format, report: &Report, with: &Rendering<'_>) -> String {
    match format {
        Format::Text => text::render(report, with.document, with.coloured),
        Format::Markdown => markdown::render_at(with.document, report, with.with, with.now),
        Format::Difference => difference::render(report, with.earlier),
        Format::Json => with.bytes.map_or_else(|| json::render(report), str::to_owned),
        Format::Sarif => sarif::render(report, with.earlier, &with.anchors),
        Format::Junit => junit::render(report),
        Format::Html => html::render(report, with),
        Format::Oscal => oscal::render(report),
        Format::Prometheus => prometheus::render(report),
        Format::Badge => badge::render(report, with.now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_its_format_by_its_name() {
        for (name, format) in [
            ("report.json", Some(Format::Json)),
            ("a/b/report.oscal.json", Some(Format::Oscal)),
            ("report.sarif", Some(Format::Sarif)),
            ("REPORT.SARIF.JSON", Some(Format::Sarif)),
            ("report.xml", Some(Format::Junit)),
            ("badge.svg", Some(Format::Badge)),
            ("comment.difference.md", Some(Format::Difference)),
            ("summary.md", Some(Format::Markdown)),
            ("report.pdf", None),
            ("report", None),
        ] {
            assert_eq!(Format::of_file(name), format, "{name}");
        }
        for format in Format::ALL {
            assert_eq!(Format::parse(format.as_str()), Some(format));
        }
    }
}
