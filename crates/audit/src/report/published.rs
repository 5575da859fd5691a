//! The formats are read by those who published them: the schemas of SARIF, JUnit and OSCAL, Prometheus's own reader, and
//! docs/report.schema.json.

use std::path::Path;

use serde_json::Value;

use crate::report::html::Sharing;
use crate::report::{Format, Rendering, Report, render, sample};

const SCRIPT: &str = include_str!("../../../../tests/ecosystem/reports.py");

/// Writes the report in every format that somebody has a schema of, and lets those read it.
async fn read(report: &Report, earlier: Option<&Report>) -> testkit::process::Output {
    let folder = tempfile::tempdir().unwrap();
    let with = Rendering { now: sample::STARTED, earlier, ..Rendering::default() };
    for (name, format) in [
        ("report.json", Format::Json),
        ("report.sarif", Format::Sarif),
        ("report.xml", Format::Junit),
        ("report.oscal.json", Format::Oscal),
        ("report.prom", Format::Prometheus),
    ] {
        std::fs::write(folder.path().join(name), render(format, report, &with)).unwrap();
    }
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/report.schema.json");
    let packages = testkit::ecosystem::node_modules();
    let arguments = [schema.as_path(), packages.as_path(), folder.path()].map(|path| path.to_str().unwrap());
    testkit::process::run(testkit::python::script(SCRIPT, &arguments)).await
}

#[tokio::test]
async fn every_form_fits_its_published_schema() {
    let mut bare = Report { schema: crate::report::SCHEMA, ..Report::default() };
    bare.run.started = crate::report::rfc3339(0);
    for (report, earlier) in
        [(sample::report(), None), (sample::report(), Some(sample::earlier())), (bare, None)]
    {
        let output = read(&report, earlier.as_ref()).await.expect(0);
        let seen: Value = serde_json::from_str(&output.stdout).unwrap();
        assert!(seen["sarif"].as_str().unwrap().contains("sarif-2.1.0"), "{seen}");
        assert!(seen["oscal"].as_str().unwrap().contains("oscal/1.2.3/oscal-ar"), "{seen}");
        assert_eq!(seen["gauges"]["portcullis_measure"], report.measures.len(), "{seen}");
    }
}

/// Or a broken report would be read as well.
#[tokio::test]
async fn the_readers_see_a_mistake() {
    let mut report = sample::report();
    report.run.started = "yesterday".into();
    let output = read(&report, None).await;
    assert_ne!(output.code, Some(0));
    assert!(output.stderr.contains("yesterday"), "{}", output.stderr);
}

const READER: &str = include_str!("../../../../tests/ecosystem/report_page.mjs");

/// In Chromium: it loads nothing, everybody can read it (axe-core), on a phone, by keyboard and on paper.
#[tokio::test]
async fn the_page_is_read_by_everybody() {
    let history = [sample::earlier()];
    for sharing in [Sharing::Internal, Sharing::Public] {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.html");
        let with = Rendering { now: sample::STARTED, history: &history, sharing, ..Rendering::default() };
        std::fs::write(&file, render(Format::Html, &sample::report(), &with)).unwrap();
        let asked = serde_json::json!({
            "page": file,
            "axe": testkit::ecosystem::package_file("axe-core", "axe.min.js"),
            "browser": testkit::ecosystem::chromium(),
        });
        let saw: Value =
            testkit::node::Script::new(READER).run(&[], &asked.to_string()).await.expect(0).json();
        assert_eq!(saw["loaded"], serde_json::json!(["the page", "the page"]), "{saw:#}");
        assert_eq!(saw["complaints"], serde_json::json!([]), "{saw:#}");
        assert_eq!(saw["barriers"], serde_json::json!({"light": [], "dark": []}), "{saw:#}");
        assert_eq!(saw["grounds"]["light"], "rgb(255, 255, 255)");
        assert_eq!(saw["grounds"]["dark"], "rgb(20, 23, 29)");
        assert_eq!(saw["phone"]["wide"], saw["phone"]["screen"], "{saw:#}");
        if sharing == Sharing::Internal {
            assert_eq!(saw["opened"], true, "by keyboard: {saw:#}");
            assert_eq!(saw["printed"], true, "{saw:#}");
        }
    }
}
