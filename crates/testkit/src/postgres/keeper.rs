//! A small shell beside a server, that stops it and removes its folder when the test process ends, however it ends.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::namespaces;

/// The shell and its two pipes.
#[derive(Debug)]
pub(crate) struct Keeper {
    // None once it was told to end.
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    shell: Child,
}

impl Keeper {
    /// Runs the script with these arguments, as the account that owns the folder, in the namespace if one is named.
    pub(crate) fn start(script: &str, folder: &Path, namespace: Option<&str>, arguments: &[&str]) -> Self {
        Self::spawn(namespaces::prefixed(namespace, &unprivileged(folder)), script, folder, arguments)
    }

    /// The same as whoever runs the tests: for what only root may do.
    pub(crate) fn start_privileged(script: &str, folder: &Path, arguments: &[&str]) -> Self {
        Self::spawn(Command::new("sh"), script, folder, arguments)
    }

    fn spawn(mut command: Command, script: &str, folder: &Path, arguments: &[&str]) -> Self {
        let mut shell = command
            .args(["-c", script, "keeper"])
            .arg(folder)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Its own group: an interrupt at the terminal reaches the tests, and the shell cleans up after them.
            .process_group(0)
            .current_dir("/")
            .spawn()
            .expect("a shell beside the server");
        let orders = Some(shell.stdin.take().expect("a piped standard input"));
        let answers = BufReader::new(shell.stdout.take().expect("a piped standard output"));
        Self { orders, answers, shell }
    }

    /// Sends an order and waits for the answer.
    pub(crate) fn order(&mut self, order: &str, answer: &str) {
        let orders = self.orders.as_mut().expect("a keeper that was not told to end");
        writeln!(orders, "{order}").expect("the shell beside the server listens");
        self.expect_answer(answer);
    }

    /// Has it clean up, and waits until it has.
    pub(crate) fn end(&mut self) {
        drop(self.orders.take());
        let _ = self.shell.wait();
    }

    /// Waits for this line.
    pub(crate) fn expect_answer(&mut self, wanted: &str) {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the shell beside the server answers");
        assert_eq!(line.trim_end(), wanted, "the server did not obey; its log is above");
    }
}

/// A new folder under the temporary directory that nobody else may read; the keeper removes it.
pub(crate) fn folder(prefix: &str) -> PathBuf {
    let folder = tempfile::Builder::new().prefix(prefix).tempdir();
    let folder = folder.expect("a folder under the temporary directory").keep();
    std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700))
        .expect("permissions of an own folder");
    folder
}

/// Writes a file that its owner alone may read.
pub(crate) fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).expect("a file in the server's folder");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
        .expect("permissions of an own file");
}

/// The servers refuse to run as root: then an unprivileged account runs them and owns the folder.
fn unprivileged(folder: &Path) -> Vec<String> {
    let root = Path::new("/proc/self").metadata().is_ok_and(|own| own.uid() == 0);
    if !root {
        return vec!["sh".to_owned()];
    }
    let accounts = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let account = ["postgres", "nobody"]
        .into_iter()
        .find(|name| accounts.lines().any(|line| line.split(':').next() == Some(name)))
        .unwrap_or_else(|| panic!("no account `postgres` or `nobody`: install the package `postgresql`"));
    let chown = Command::new("chown").arg("-R").arg(account).arg(folder).status();
    assert!(chown.is_ok_and(|status| status.success()), "cannot give {} to {account}", folder.display());
    ["runuser", "-u", account, "--", "sh"].map(str::to_owned).to_vec()
}
