//! A secret for a program.

use std::time::Duration;

use secrecy::ExposeSecret as _;
use steward::delivery::{CommandPlace, Place, Reached, deliver, read_back};

use crate::{PASSWORD, credential, without_secret};

fn shell(script: &str, timeout: Duration) -> Place {
    let words = ["sh", "-c", script].map(str::to_owned).to_vec();
    Place::Command(CommandPlace { words, timeout })
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn the_program_reads_it_from_standard_input_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let (file, arguments) = (folder.path().join("stdin"), folder.path().join("arguments"));
    let script = format!(
        "cat > {}; tr '\\0' '\\n' < /proc/$$/cmdline > {}; tr '\\0' '\\n' < /proc/$$/environ >> {}",
        file.display(),
        arguments.display(),
        arguments.display()
    );
    let place = shell(&script, LONG);
    deliver(&place, &credential(3)).await.unwrap();
    assert_eq!(std::fs::read_to_string(file).unwrap(), credential(3).to_json().expose_secret());
    let seen = std::fs::read_to_string(arguments).unwrap();
    assert!(seen.contains("cat >") && !seen.contains(PASSWORD), "{seen}");
    assert!(read_back(&place).await.unwrap().is_none(), "nobody can look into a program");
}

#[tokio::test]
async fn a_program_that_reads_nothing_may_be_right() {
    deliver(&shell("exit 0", LONG), &credential(1)).await.unwrap();
}

#[tokio::test]
async fn its_complaint_is_shown_without_the_secret() {
    let fault =
        deliver(&shell("echo no room: >&2; cat >&2; exit 3", LONG), &credential(1)).await.unwrap_err();
    let text = without_secret(&fault);
    assert!(text.contains("no room:") && text.contains("[secret]") && text.contains('3'), "{text}");
    assert_eq!(fault.reached, Reached::Unknown);
    // In base64, as secret stores print what they got; and far too much of it.
    let loud = "base64 -w0 >&2; i=0; while [ $i -lt 3000 ]; do echo 'and so on, and so on, and so on' >&2; i=$((i+1)); done; exit 1";
    let text = without_secret(&deliver(&shell(loud, LONG), &credential(1)).await.unwrap_err());
    assert!(text.contains("[secret]") && text.len() < 1_000, "{text}");
}

#[tokio::test]
async fn a_signal_is_a_failure_and_so_is_a_program_that_is_not_there() {
    let fault = deliver(&shell("kill -9 $$", LONG), &credential(1)).await.unwrap_err();
    assert!(without_secret(&fault).contains("signal"), "{fault}");
    let words = vec!["/nonexistent/program".to_owned()];
    let fault =
        deliver(&Place::Command(CommandPlace { words, timeout: LONG }), &credential(1)).await.unwrap_err();
    assert_eq!(fault.reached, Reached::Nothing);
    assert!(without_secret(&fault).contains("whole path"), "{fault}");
}

#[tokio::test]
async fn it_and_its_children_end_with_its_time() {
    // The pipe is open as long as any of them lives: it ends when all are gone.
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (sender, reading) = tokio::sync::oneshot::channel();
    // A thread of its own: should one of them live on, the test fails instead of waiting for it.
    let opened = pipe.clone();
    std::thread::spawn(move || sender.send(std::fs::read_to_string(opened)));
    let script = format!("exec > {}; echo begun; sleep 1000 & echo late >&2; sleep 1000", pipe.display());
    let fault = deliver(&shell(&script, Duration::from_secs(2)), &credential(1)).await.unwrap_err();
    assert_eq!(fault.reached, Reached::Unknown);
    let text = without_secret(&fault);
    assert!(text.contains("timeout") && text.contains("late"), "{text}");
    let read = tokio::time::timeout(LONG, reading).await.unwrap().unwrap().unwrap();
    assert_eq!(read, "begun\n");
}

#[tokio::test]
async fn a_child_in_the_background_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("child");
    let script = format!("sleep 1000 & echo $! > {}; cat > /dev/null", file.display());
    let (place, credential) = (shell(&script, LONG), credential(1));
    tokio::time::timeout(LONG / 2, deliver(&place, &credential)).await.unwrap().unwrap();
    // It was let live, and is ended here.
    let child = std::fs::read_to_string(file).unwrap();
    assert!(std::process::Command::new("kill").arg(child.trim()).status().unwrap().success());
}
