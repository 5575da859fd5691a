//! `portcullis dev`: everything on this machine, and two calls to see it work.

use super::{CommandError, Environment, print, print_json};
use crate::command_line::Dev;
use crate::config::ConfigError;
use crate::dev::folder::{Folder, LastStart};
use crate::dev::mailbox::Mailbox;
use crate::dev::seed::{Seeded, seed};
use crate::dev::{sample_backend, tls};
use crate::wiring::services::{self, Plan};
use crate::wiring::{self, listening, serving};
use base64::Engine as _;
use policy::{Requirement, Rule, Table};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::Arc;

/// Starts everything and runs until SIGTERM or SIGINT.
pub async fn run(arguments: &Dev, environment: &Environment) -> Result<(), CommandError> {
    let folder = Folder::create(&arguments.dir)?;
    let _lock = folder.lock()?;
    let start = folder.plan(arguments)?;
    let configuration = folder.configuration(&start, environment)?;
    let policy =
        wiring::policy::read(&configuration).map_err(|problems| CommandError::usage(problems.join("\n")))?;
    let audience = wiring::gateway::audience(&configuration)?;
    let store = wiring::store::open(&configuration, true).await?;
    let session = wiring::identity::session(&configuration);
    let wants_client = wiring::identity::session_caller(&session)? == identity::SessionCaller::Client;
    let seeded = seed(&store, &folder, &policy, &audience, wants_client).await?;

    let (sample_end, sample_shutdown) = serving::shutdown();
    if let Some(port) = start.sample {
        let listener =
            listening::bind("the sample backend", SocketAddr::new(crate::command_line::LOOPBACK, port))?;
        tokio::spawn(serving::serve(listener, sample_backend::router(), None, sample_shutdown));
    }
    let onward = wiring::identity::mail(&configuration)?
        .map(|mail| identity::SmtpPostman::new(&mail))
        .transpose()
        .map_err(|fault| CommandError::usage(fault.to_string()))?
        .map(|postman| Arc::new(postman) as Arc<dyn identity::Postman>);
    let mailbox = Mailbox::new(onward);
    let tls = if start.tls { Some(tls::localhost(&folder.path)?) } else { None };
    let plan = Plan {
        store: Some(store),
        postman: Some(Arc::new(mailbox.clone())),
        operations: Some(mailbox.router()),
        tls,
        read_again: Some(read_again(arguments, environment)),
    };
    let signals = super::serve::Signals::listen()?;
    let running = services::start(&configuration, plan).await.map_err(|mut error| {
        if error.message.contains("cannot listen") {
            error.message.push_str(&format!(
                "\ntry `portcullis dev --port {}`, or `--port 0` for free ones",
                start.identity.saturating_add(1000)
            ));
        }
        error
    })?;
    folder.remember(&start)?;
    for warning in configuration.warnings() {
        tracing::warn!("{warning}");
    }
    let opened = running.open_console(&configuration).await;
    let tour = Tour {
        start: &start,
        seeded: &seeded,
        table: &policy.table,
        audience: &audience,
        folder: &folder,
        opened: opened.as_ref(),
    };
    if arguments.json {
        print_json(&tour.ready_line(&configuration.file))?;
    } else {
        print(&tour.for_people()?);
    }
    let dir = arguments.dir.clone();
    super::serve::until_stopped(running, signals, || {
        let folder = Folder::open(&dir)?;
        Ok::<_, ConfigError>(folder.configuration(&folder.last_start()?, environment)?)
            .map_err(CommandError::from)
    })
    .await?;
    sample_end.begin();
    Ok(())
}

/// The installation as the folder has it, for audits by schedule.
fn read_again(arguments: &Dev, environment: &Environment) -> wiring::schedule::ReadAgain {
    let place = crate::command_line::Where { config: None, dir: Some(arguments.dir.clone()), json: false };
    let environment = environment.clone();
    Arc::new(move || Ok(wiring::installation::Installation::find(&place, &environment)?))
}

/// What a newcomer is shown.
struct Tour<'a> {
    start: &'a LastStart,
    seeded: &'a Seeded,
    table: &'a Table,
    audience: &'a str,
    folder: &'a Folder,
    /// The console, where there is one.
    opened: Option<&'a wiring::console::Opened>,
}

impl Tour<'_> {
    fn scheme(&self) -> &'static str {
        if self.start.tls { "https" } else { "http" }
    }

    fn gateway(&self) -> String {
        format!("{}://localhost:{}", self.scheme(), self.start.gateway)
    }

    fn issuer(&self) -> String {
        format!("{}://localhost:{}/", self.scheme(), self.start.identity)
    }

    /// The line of `--json`.
    fn ready_line(&self, file: &crate::config::raw::File) -> serde_json::Value {
        json!({
            "issuer": file.identity.as_ref().and_then(|identity| identity.issuer.clone()).unwrap_or_else(|| self.issuer()),
            "gateway": self.gateway(),
            "operations": format!("http://127.0.0.1:{}", self.start.operations),
            "mailbox": format!("http://127.0.0.1:{}/mailbox", self.start.operations),
            "audience": self.audience,
            "scopes": self.seeded.scopes,
            "client_id": self.seeded.application.client_id,
            "client_secret": self.seeded.application.client_secret,
            "console": self.opened.map(|opened| &opened.board),
            "admin_link": self.opened.map(|opened| &opened.link),
            "pid": std::process::id(),
        })
    }

    /// The first rule for GET that a caller with these scopes passes, and one that it does not: 200 and 403.
    fn pair(&self, scopes: &policy::ScopeSet, as_client: bool) -> Option<(Call, Call)> {
        let calls: Vec<Call> = self
            .table
            .rules()
            .filter(|rule| rule.method.as_str() == "GET")
            .filter_map(|rule| Call::of(rule, as_client))
            .collect();
        let good = calls.iter().find(|call| call.is_open_to(scopes))?;
        let held = policy::ScopeSet::parse(&good.scope).ok()?;
        let bad = self
            .table
            .rules()
            .filter_map(|rule| Call::of(rule, as_client).or_else(|| Call::of(rule, !as_client)))
            .find(|call| !call.is_open_to(&held))?;
        Some((good.clone(), bad))
    }

    fn for_people(&self) -> Result<String, CommandError> {
        let secure = if self.start.tls {
            format!(" --cacert {}", self.folder.path.join("ca.pem").display())
        } else {
            String::new()
        };
        let gateway = self.gateway();
        let mut text = format!(
            "Portcullis is ready.\n\n  issuer      {}\n  gateway     {gateway}  ->  {}\n  operations  http://127.0.0.1:{}  \
             (mailbox: /mailbox)\n  state       {}\n\n",
            self.issuer(),
            self.start.upstream.as_deref().unwrap_or("a sample backend"),
            self.start.operations,
            self.folder.path.display(),
        );
        if let Some((good, bad)) = self.pair(&self.seeded.client_scopes, true) {
            text.push_str(&format!(
                "A token for a program (client credentials):\n\n  TOKEN=$(curl -s{secure} {}oauth/token \\\n    -d \
                 grant_type=client_credentials -d client_id={} \\\n    -d client_secret={} \\\n    -d audience={} -d scope={} \
                 | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n\n",
                self.issuer(),
                self.seeded.application.client_id,
                self.seeded.application.client_secret,
                self.audience,
                good.scope.replace(' ', "+"),
            ));
            self.two_calls(&mut text, &secure, &good, &bad);
        } else if let Some((good, bad)) = self.pair(&self.seeded.user_scopes, false) {
            let secret: [u8; 15] = crate::clock::fresh().map_err(CommandError::failed)?;
            let password = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(secret);
            let person = format!("'{{\"email\":\"you@example.com\",\"password\":\"{password}\"");
            text.push_str(&format!(
                "A user, and a token from a login:\n\n  curl -s{secure} {gateway}/users -H 'Content-Type: application/json' \
                 \\\n    -d {person}}}'\n  TOKEN=$(curl -s{secure} {gateway}/users/session -H 'Content-Type: application/json' \
                 \\\n    -d {person},\"scope\":\"{}\"}}' | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')\n\n",
                good.scope
            ));
            self.two_calls(&mut text, &secure, &good, &bad);
        } else {
            text.push_str(
                "No endpoint with GET is open to anybody with a scope: see `portcullis check`, and add rules as \
                 [[gateway.route]] in the folder's portcullis.toml.\n\n",
            );
        }
        let dir = self.folder.path.display();
        if let Some(opened) = self.opened {
            text.push_str(&format!(
                "The board of measures, once and within 10 minutes:\n\n  {}\n\n",
                opened.link
            ));
        }
        text.push_str(&format!(
            "Every endpoint with its rule:  portcullis check --dir {dir}\nThe measures, by evidence:     portcullis audit \
             --dir {dir}\nStop with Ctrl-C; the next start keeps everything.\n"
        ));
        Ok(text)
    }

    fn two_calls(&self, text: &mut String, secure: &str, good: &Call, bad: &Call) {
        let gateway = self.gateway();
        let curl = |call: &Call| {
            let method = if call.method == "GET" { String::new() } else { format!(" -X {}", call.method) };
            format!("  curl -i{secure}{method} {gateway}{} -H \"Authorization: Bearer $TOKEN\"\n", call.path)
        };
        text.push_str(&format!(
            "200, for it has {}:\n\n{}\n403, for it lacks {}:\n\n{}\n",
            good.scope,
            curl(good),
            bad.scope,
            curl(bad)
        ));
    }
}

/// A call that can be pasted.
#[derive(Clone)]
struct Call {
    method: String,
    path: String,
    scope: String,
}

impl Call {
    /// The call of a rule that has an alternative for such callers, and an example for every path parameter.
    fn of(rule: &Rule, as_client: bool) -> Option<Self> {
        let Requirement::Scopes { alternatives } = &rule.requirement else { return None };
        let alternative = alternatives.iter().find(|alternative| {
            if as_client { alternative.caller.clients() } else { alternative.caller.users() }
        })?;
        // An operation that promises to fail is no good first impression.
        if rule.pattern.as_str() == "/always-500" {
            return None;
        }
        Some(Call {
            method: rule.method.as_str().to_owned(),
            path: rule.example_path(&std::collections::BTreeMap::new())?,
            scope: alternative.scopes.to_string(),
        })
    }

    fn is_open_to(&self, scopes: &policy::ScopeSet) -> bool {
        policy::ScopeSet::parse(&self.scope).is_ok_and(|wanted| scopes.covers(&wanted))
    }
}
