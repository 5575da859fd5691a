//! The forms of the report by name, and what each may want to know beside the report.

use crate::document::Document;
use crate::report::html::Sharing;
use crate::report::sarif::Anchors;
use crate::report::{Report, badge, difference, html, json, junit, markdown, oscal, prometheus, sarif, text};

/// A form of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
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

impl Form {
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
        Self::ALL.into_iter().find(|form| form.as_str() == name)
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
        endings.into_iter().find(|(ending, _)| name.ends_with(ending)).map(|(_, form)| form)
    }
}

/// What a form may want to know beside the report; everything may be missing.
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

/// The report in a form.
#[must_use]
pub fn render(form: Form, report: &Report, with: &Rendering<'_>) -> String {
    match form {
        Form::Text => text::render(report, with.document, with.coloured),
        Form::Markdown => markdown::render_at(with.document, report, with.with, with.now),
        Form::Difference => difference::render(report, with.earlier),
        Form::Json => with.bytes.map_or_else(|| json::render(report), str::to_owned),
        Form::Sarif => sarif::render(report, with.earlier, &with.anchors),
        Form::Junit => junit::render(report),
        Form::Html => html::render(report, with),
        Form::Oscal => oscal::render(report),
        Form::Prometheus => prometheus::render(report),
        Form::Badge => badge::render(report, with.now),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_its_form_by_its_name() {
        for (name, form) in [
            ("report.json", Some(Form::Json)),
            ("a/b/report.oscal.json", Some(Form::Oscal)),
            ("report.sarif", Some(Form::Sarif)),
            ("REPORT.SARIF.JSON", Some(Form::Sarif)),
            ("report.xml", Some(Form::Junit)),
            ("badge.svg", Some(Form::Badge)),
            ("comment.difference.md", Some(Form::Difference)),
            ("summary.md", Some(Form::Markdown)),
            ("report.pdf", None),
            ("report", None),
        ] {
            assert_eq!(Form::of_file(name), form, "{name}");
        }
        for form in Form::ALL {
            assert_eq!(Form::parse(form.as_str()), Some(form));
        }
    }
}
