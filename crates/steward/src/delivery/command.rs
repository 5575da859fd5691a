//! A program that takes the secret from its standard input.

use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::redacted::Redactor;
use super::{CommandPlace, DeliveryFault, Place, Reached};
use crate::Credential;

/// As much of its complaints as is kept.
const COMPLAINTS: usize = 64 * 1024;
/// How long an ended program's standard error is still read: a child that it left in the background may hold it open.
const REST: Duration = Duration::from_millis(500);

/// The exit status alone decides; what the program writes to standard output is not read.
pub(super) async fn run(
    place: &Place,
    command: &CommandPlace,
    credential: &Credential,
) -> Result<(), DeliveryFault> {
    let fault = |reached, reason: String| DeliveryFault::new(place, reached, reason);
    let Some((program, arguments)) = command.words.split_first() else {
        return Err(fault(Reached::Nothing, "names no program".to_owned()));
    };
    let spawned = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // A group of its own: at the end of its time all that it started ends with it.
        .process_group(0)
        .kill_on_drop(true)
        .spawn();
    let mut child = spawned.map_err(|error| {
        fault(
            Reached::Nothing,
            format!("cannot be started: {error}; write its whole path and let this user run it"),
        )
    })?;
    let mut group = Group(child.id());

    let complaints = Arc::new(Mutex::new(Vec::new()));
    let reading = child.stderr.take().map(|mut pipe| {
        let complaints = Arc::clone(&complaints);
        tokio::spawn(async move {
            let mut chunk = [0; 4096];
            // It is read to the end, so that the program does not stand still; what is too much is dropped.
            while let Ok(count @ 1..) = pipe.read(&mut chunk).await {
                let mut kept = complaints.lock().unwrap_or_else(PoisonError::into_inner);
                let room = COMPLAINTS.saturating_sub(kept.len()).min(count);
                kept.extend_from_slice(&chunk[..room]);
            }
        })
    });
    let json = credential.to_json();
    let input = child.stdin.take();
    let feeding = async {
        if let Some(mut input) = input {
            // A program that does not read it all ends as it likes: its status says whether that was right.
            let _ = input.write_all(json.expose_secret().as_bytes()).await;
            let _ = input.shutdown().await;
        }
    };
    let ended = tokio::time::timeout(command.timeout, async { tokio::join!(feeding, child.wait()).1 }).await;
    match ended {
        Ok(_) => group.0 = None,
        Err(_) => group.end(),
    }
    if let Some(mut reading) = reading
        && tokio::time::timeout(REST, &mut reading).await.is_err()
    {
        reading.abort();
    }
    let said = {
        let kept = complaints.lock().unwrap_or_else(PoisonError::into_inner);
        let line = Redactor::new(&[&credential.password]).line(&kept, kept.len() >= COMPLAINTS);
        if line.is_empty() {
            "it said nothing on standard error".to_owned()
        } else {
            format!("it said: {line}")
        }
    };
    match ended {
        Ok(Ok(status)) if status.success() => Ok(()),
        // It may have stored the secret and failed after that.
        Ok(Ok(status)) => Err(fault(Reached::Unknown, format!("failed with {status}; {said}"))),
        Ok(Err(error)) => Err(fault(Reached::Unknown, format!("cannot be waited for: {error}"))),
        Err(_) => Err(fault(
            Reached::Unknown,
            format!(
                "took more than {} and was ended; give it more by `timeout`; {said}",
                humantime::format_duration(command.timeout)
            ),
        )),
    }
}

/// The process group of a running program; it ends when nobody waits for the program any more.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        self.end();
    }
}

impl Group {
    fn end(&mut self) {
        let group =
            self.0.take().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}
