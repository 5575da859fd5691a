//! What `portcullis dev` prints for people, pasted into a shell as people do.

use std::fmt::Write as _;

use testkit::process::{self, Program};
use testkit::server::Server;

use crate::world::{Caller, openapi, portcullis};

/// The printed text to its last line.
async fn printed(program: &mut Program) -> String {
    let mut text = String::new();
    loop {
        let line = program.line().await;
        let is_last = line.starts_with("Stop with Ctrl-C");
        writeln!(text, "{line}").unwrap();
        if is_last {
            return text;
        }
    }
}

/// The lines that the text asks to paste: those that are indented and begin a command, with their continuations.
fn commands(text: &str) -> Vec<String> {
    let mut commands: Vec<String> = Vec::new();
    let mut continues = false;
    for line in text.lines() {
        let begins = line.starts_with("  TOKEN=") || line.starts_with("  curl ");
        if continues {
            let last = commands.last_mut().unwrap();
            last.push('\n');
            last.push_str(line);
        } else if begins {
            commands.push(line.to_owned());
        }
        continues = (begins || continues) && line.ends_with('\\');
    }
    commands
}

/// Pastes the commands into one shell; what the last two, the calls, print.
async fn pasted(commands: &[String]) -> (String, String) {
    const BETWEEN: &str = "===next===";
    let (calls, before) = commands.split_last_chunk::<2>().map(|(before, calls)| (calls, before)).unwrap();
    let mut script = before.join("\n");
    write!(script, "\necho; echo {BETWEEN}\n{}\necho; echo {BETWEEN}\n{}\n", calls[0], calls[1]).unwrap();
    let mut shell = process::command("bash");
    shell.args(["-c", &script]);
    let output = process::run(shell).await.expect(0);
    let mut parts = output.stdout.split(BETWEEN).skip(1).map(str::to_owned);
    (parts.next().unwrap(), parts.next().unwrap())
}

/// The scope that the text says the second call lacks.
fn lacking(text: &str) -> &str {
    let (_, rest) = text.split_once("403, for it lacks ").unwrap_or_else(|| panic!("no 403 in {text}"));
    rest.split_once(':').and_then(|_| rest.lines().next()).unwrap().trim_end_matches(':')
}

#[track_caller]
fn are_200_and_403(answers: &(String, String), lacking: &str, text: &str) {
    assert!(answers.0.trim_start().starts_with("HTTP/1.1 200"), "{}\n{text}", answers.0);
    assert!(answers.1.trim_start().starts_with("HTTP/1.1 403"), "{}\n{text}", answers.1);
    let named = answers.1.to_ascii_lowercase();
    assert!(named.contains("insufficient_scope") && named.contains(lacking), "{lacking}: {}", answers.1);
}

#[tokio::test]
async fn the_printed_token_and_calls_work_when_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = portcullis(&["dev", "--port", "0", "--dir"]);
    command.arg(folder.path().join("state"));
    let mut program = Program::start(command);
    let text = printed(&mut program).await;
    let commands = commands(&text);
    assert_eq!(commands.len(), 3, "{commands:?}");
    assert!(commands[0].contains("client_credentials"), "{}", commands[0]);
    are_200_and_403(&pasted(&commands).await, lacking(&text), &text);
    assert!(program.terminate().await.success());
}

#[tokio::test]
async fn where_users_alone_may_call_a_sign_up_and_a_login_are_printed_and_work() {
    let backend = Server::echo().await;
    let folder = tempfile::tempdir().unwrap();
    let for_users =
        openapi(&[("/diary", Caller::User, "read:diary"), ("/drafts", Caller::User, "read:drafts")]);
    let openapi = folder.path().join("openapi.json");
    std::fs::write(&openapi, for_users).unwrap();
    let mut command = portcullis(&["dev", "--port", "0", "--upstream"]);
    command.arg(backend.url().trim_end_matches('/')).arg("--openapi").arg(openapi);
    command.arg("--dir").arg(folder.path().join("state"));
    let mut program = Program::start(command);
    let text = printed(&mut program).await;
    let commands = commands(&text);
    assert_eq!(commands.len(), 4, "sign-up, login, two calls: {commands:?}");
    assert!(commands[0].contains("/users ") && commands[1].contains("/users/session "), "{commands:?}");
    are_200_and_403(&pasted(&commands).await, lacking(&text), &text);
    assert_eq!(backend.seen().len(), 1, "what is refused does not arrive");
    assert!(program.terminate().await.success());
}
