//! `portcullis console`: a way in for who has the machine.

use super::{CommandError, Environment, administered, print, print_json};
use crate::command_line::Console;
use crate::wiring::console::open;
use serde_json::json;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a server of this machine may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether anybody listens where the board is.
async fn is_there(board: &str) -> Result<(), String> {
    let url = url::Url::parse(board).map_err(|error| error.to_string())?;
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
        return Err("it names no host".to_owned());
    };
    let host = host.trim_matches(['[', ']']);
    match tokio::time::timeout(PATIENCE, TcpStream::connect((host, port))).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("it takes too long".to_owned()),
    }
}

/// Prints a link that opens the board once.
pub async fn run(console: Console, environment: &Environment) -> Result<(), CommandError> {
    let Console::Link(place) = console;
    let (installation, store) = administered(&place, environment).await?;
    let opened = open(&installation.configuration, &store).await;
    store.close().await;
    let opened = opened?.ok_or_else(|| {
        CommandError::usage(
            "this installation has no issuer of its own, so there is no console: set identity.issuer",
        )
    })?;
    if let Err(why) = is_there(&opened.board).await {
        eprintln!(
            "portcullis: nobody answers at {} ({why}): the link opens the board once `serve` or `dev` runs",
            opened.board
        );
    }
    if place.json {
        print_json(&json!({ "console": opened.board, "admin_link": opened.link }))
    } else {
        print(&format!("{}\n", opened.link));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_is_told_from_somebody() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let board = format!("http://{}/console", listener.local_addr().unwrap());
        assert_eq!(is_there(&board).await, Ok(()));
        drop(listener);
        assert!(is_there(&board).await.is_err());
    }
}
