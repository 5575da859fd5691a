//! SECURITY-MEASURES.md: the demo deployment's document, whose boxes an audit of it sets. The lines about the repository
//! itself are not compared: they depend on how deep it was cloned, and on what was published since.
//!
//! `scripts/demo-measures` runs the same, with this repository as the code that is audited, and writes the file.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::sync::OnceCell;

use crate::deployment::{Audited, Deployment, until_moment};
use crate::two_worlds;

const OF_THE_REPOSITORY: [&str; 2] = ["No secret is hard-coded", "A tool keeps all dependencies"];
/// Set to a file, the audited document is written there; and the repository whose code is audited, if not this one.
const WRITE: &str = "DEMO_MEASURES";
const REPOSITORY: &str = "DEMO_REPOSITORY";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The document as it stands in the repository.
pub fn document() -> String {
    std::fs::read_to_string(root().join("SECURITY-MEASURES.md")).unwrap()
}

/// What the audits of the demo deployment saw.
pub struct Shown {
    /// All measures.
    pub report: Value,
    /// A10 alone, after the end of the tokens that an earlier look kept.
    pub later: Value,
    /// The document after both.
    pub document: String,
}

/// One deployment for all who want to know what it shows.
pub async fn shown() -> &'static Shown {
    static SHOWN: OnceCell<Shown> = OnceCell::const_new();
    SHOWN
        .get_or_init(async || {
            let folder = tempfile::tempdir().unwrap();
            two_worlds::well_kept(folder.path()).await;
            audited(folder.path()).await
        })
        .await
}

async fn audited(repository: &Path) -> Shown {
    // As if somebody had ticked all of them by hand.
    let document = document().replace("- [ ] ", "- [x] ");
    let demo = Deployment::start(repository).await;
    let ended = demo.first_look(&document).await;
    demo.rotate().await;
    demo.revoke_the_key().await;
    demo.lengthen_tokens().await;
    demo.probe().await;
    let Audited { report, document } = demo.audit(&document, &[]).await;
    until_moment(ended).await;
    let Audited { report: later, document } = demo.audit(&document, &["A10"]).await;
    demo.stop().await;
    Shown { report, later, document }
}

fn boxes(document: &str) -> Vec<&str> {
    let boxes = document.lines().filter(|line| line.trim_start().starts_with("- ["));
    boxes.filter(|line| !OF_THE_REPOSITORY.iter().any(|words| line.contains(words))).collect()
}

#[tokio::test]
async fn the_boxes_of_the_demo_are_what_an_audit_sees() {
    // How scripts/demo-measures says what of, and where to.
    let (file, repository) = (std::env::var_os(WRITE), std::env::var_os(REPOSITORY));
    if let Some(file) = file {
        let shown = audited(&repository.map_or_else(root, PathBuf::from)).await;
        std::fs::write(file, &shown.document).unwrap();
        return;
    }
    let (ours, now) = (document(), &shown().await.document);
    assert_eq!(boxes(now), boxes(&ours), "run scripts/demo-measures and look at what changed");
}
