//! `scripts/demo-measures` sets the boxes that stand in SECURITY-MEASURES.md. The lines about the repository itself are not
//! compared: they depend on how deep it was cloned, and on what was published since.

use std::path::Path;

use testkit::process;

const OF_THE_REPOSITORY: [&str; 2] = ["No secret is hard-coded", "A tool keeps all dependencies"];

fn boxes(document: &str) -> Vec<&str> {
    let boxes = document.lines().filter(|line| line.trim_start().starts_with("- ["));
    boxes.filter(|line| !OF_THE_REPOSITORY.iter().any(|words| line.contains(words))).collect()
}

#[tokio::test]
async fn the_boxes_of_the_demo_are_what_an_audit_sees() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let ours = std::fs::read_to_string(root.join("SECURITY-MEASURES.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let document = folder.path().join("SECURITY-MEASURES.md");
    // As if somebody had ticked all of them by hand.
    let all = ours.replace("- [ ] ", "- [x] ");
    std::fs::write(&document, all).unwrap();
    let empty = folder.path().join("repository");
    std::fs::create_dir(&empty).unwrap();
    let mut demo = process::command(root.join("scripts/demo-measures").to_str().unwrap());
    demo.arg(&document).arg(&empty).env("PORTCULLIS", env!("CARGO_BIN_EXE_portcullis"));
    process::run(demo).await.expect(0);
    let now = std::fs::read_to_string(&document).unwrap();
    assert_eq!(boxes(&now), boxes(&ours), "run scripts/demo-measures and look at what changed");
    assert!(boxes(&ours).iter().any(|line| line.contains("- [x] ")));
}
