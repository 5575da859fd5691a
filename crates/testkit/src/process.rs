//! Programs that a test starts, asks by signals, and never leaves behind.

use std::ffi::OsStr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// How long a program may take to say its next line, or to end, before the test fails: generous, since compilers may
/// share the machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// A command with nothing on standard input, to which a test adds arguments and environment.
pub fn command(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// What a program that ran to its end left.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its exit status as a number; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Fails unless the program ended with this status, and shows what it said then.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "\nstdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is not.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("no JSON ({error}): {}\nstderr: {}", self.stdout, self.stderr))
    }
}

/// Runs a program to its end.
///
/// # Panics
/// When it cannot be started or does not end in time.
pub async fn run(mut command: Command) -> Output {
    command.kill_on_drop(true);
    let name = format!("{:?}", command.as_std());
    let output = tokio::time::timeout(PATIENCE * 2, command.output()).await;
    let output = output.unwrap_or_else(|_| panic!("{name} did not end in time"));
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}"));
    Output {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs a program to its end with this on standard input.
///
/// # Panics
/// When it cannot be started or does not end in time.
pub async fn run_with_input(mut command: Command, input: &[u8]) -> Output {
    let mut file = tempfile::tempfile().expect("a temporary file can be made");
    std::io::Write::write_all(&mut file, input).expect("a temporary file can be written");
    std::io::Seek::rewind(&mut file).expect("a temporary file can be rewound");
    command.stdin(Stdio::from(file));
    run(command).await
}

/// A program that runs until the test ends it: its lines are read as they come, and dropping it kills it.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    lines: mpsc::UnboundedReceiver<String>,
    errors: Arc<Mutex<String>>,
}

impl Program {
    /// Starts it; [`Program::line`] waits for what it says.
    pub fn start(mut command: Command) -> Self {
        let name = format!("{:?}", command.as_std());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name}: {error}"));
        let errors = Arc::new(Mutex::new(String::new()));
        let (sender, lines) = mpsc::unbounded_channel();
        if let Some(stdout) = child.stdout.take() {
            // The channel closes with the program's output, whether anyone still listens or not.
            tokio::spawn(each_line(stdout, move |line| drop(sender.send(line))));
        }
        if let Some(stderr) = child.stderr.take() {
            let errors = errors.clone();
            tokio::spawn(each_line(stderr, move |line| {
                let mut text = errors.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&line);
                text.push('\n');
            }));
        }
        Self { name, child, lines, errors }
    }

    /// Starts it and waits for its first line of JSON: what `--json` prints when ready.
    pub async fn ready(command: Command) -> (Self, serde_json::Value) {
        let mut program = Self::start(command);
        let line = program.line().await;
        let ready = serde_json::from_str(&line);
        let ready = ready.unwrap_or_else(|error| panic!("{}: no JSON ({error}): {line}", program.name));
        (program, ready)
    }

    /// The next line of standard output.
    ///
    /// # Panics
    /// When the program ends or stays silent for [`PATIENCE`]; the message shows what it said on standard error.
    pub async fn line(&mut self) -> String {
        let line = self.line_within(PATIENCE).await;
        line.unwrap_or_else(|| panic!("{} said nothing more\n{}", self.name, self.errors()))
    }

    /// The next line of standard output, if one comes in time.
    pub async fn line_within(&mut self, patience: Duration) -> Option<String> {
        let line = tokio::time::timeout(patience, self.lines.recv()).await.ok().flatten();
        if line.is_none() {
            // A program that just ended may have its reason still in the pipe.
            let _ = tokio::time::timeout(Duration::from_millis(500), self.child.wait()).await;
        }
        line
    }

    /// What it has said on standard error so far.
    pub fn errors(&self) -> String {
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its process id; `None` once it has ended.
    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// Sends a signal by name: `TERM`, `HUP`, `KILL`, `STOP`, `CONT`.
    pub async fn signal(&self, name: &str) {
        let Some(id) = self.id() else { return };
        // The shell's own `kill`, so that no package is needed for it.
        let mut shell = command("sh");
        shell.args(["-c", "kill -s \"$0\" \"$1\"", name, &id.to_string()]);
        run(shell).await.expect(0);
    }

    /// SIGTERM, and its exit status.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn terminate(mut self) -> ExitStatus {
        self.signal("TERM").await;
        self.ended().await
    }

    /// SIGKILL, and waits until it is gone.
    pub async fn kill(mut self) {
        let _ = self.child.kill().await;
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it does not end in time.
    pub async fn ended(&mut self) -> ExitStatus {
        let waited = tokio::time::timeout(PATIENCE, self.child.wait()).await;
        let waited = waited.unwrap_or_else(|_| panic!("{} did not end\n{}", self.name, self.errors()));
        waited.unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}

async fn each_line(stream: impl AsyncRead + Unpin, mut take: impl FnMut(String)) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        take(line);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut shell = command("sh");
        shell.args(["-c", script]);
        shell
    }

    #[tokio::test]
    async fn the_ready_line_is_read_and_sigterm_ends_it() {
        let (program, ready) = Program::ready(shell("echo '{\"port\": 1}'; exec sleep 1000")).await;
        assert_eq!(ready["port"], 1);
        assert!(!program.terminate().await.success());
    }

    #[tokio::test]
    async fn output_code_and_input_are_kept() {
        let output = run_with_input(shell("cat; echo no >&2; exit 3"), b"[1]").await.expect(3);
        assert_eq!(output.json(), serde_json::json!([1]));
        assert_eq!(output.stderr, "no\n");
    }

    #[tokio::test]
    #[should_panic(expected = "because")]
    async fn a_program_that_dies_shows_why() {
        Program::start(shell("echo because >&2; exit 1")).line().await;
    }
}
