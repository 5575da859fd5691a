//! The command line: what can be asked, with an example each.

mod console;
mod database;
mod document;
mod nouns;
mod verify;

use crate::config::value::Span;
use clap::{Args, Parser, Subcommand, ValueEnum};
pub use console::Console;
pub use database::{Backup, Database, One, Probe, Restore};
pub use document::{AuditCommand, AuditInit};
pub use nouns::{Api, App, Key, Role, SigningKeys, User};
use std::net::IpAddr;
use std::path::PathBuf;
pub use verify::Verify;

/// Identity server, gateway and auditor of a web backend, in one binary.
#[derive(Parser, Debug)]
#[command(
    name = "portcullis",
    version,
    about,
    after_help = "Try it here and now, without configuration:\n  portcullis dev\n\nSecrets are printed once, and read from \
                  files or standard input, never from an argument."
)]
pub struct CommandLine {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Look at a repository and write what it takes to begin
    #[command(
        after_help = "Examples:\n  portcullis init --dry-run\n  portcullis init ../backend\n\nIt writes portcullis.toml, \
                            .github/dependabot.yml and a workflow for CI. A file that is there already is overwritten only by \
                            --yes or by a person at the terminal."
    )]
    Init(Init),
    /// Run everything on this machine, without configuration
    #[command(
        after_help = "Examples:\n  portcullis dev\n  portcullis dev --upstream http://localhost:3000 --openapi \
                            openapi.yaml --frontend http://localhost:5173"
    )]
    Dev(Dev),
    /// Run identity and gateway by a configuration
    #[command(
        after_help = "Example:\n  portcullis serve --config portcullis.toml\n\nSIGTERM drains in under 5 \
                            seconds; SIGHUP reads configuration and policy again and keeps the last good one."
    )]
    Serve(Serve),
    /// Read configuration and policy, print every endpoint with its rule, start nothing
    #[command(after_help = "Example:\n  portcullis check --config portcullis.toml")]
    Check(Where),
    /// Say which rule decides on a request, and why
    #[command(
        after_help = "Examples:\n  portcullis explain GET /orders/7 --scopes read:orders --caller user\n  portcullis \
                            explain GET /orders/7 --token token.txt\n  portcullis explain cors https://app.example.com\n  portcullis \
                            explain --request 0f9c…"
    )]
    Explain(Explain),
    /// Print a real access token, for a test or a curl
    #[command(
        after_help = "Examples:\n  portcullis token --dir .portcullis\n  portcullis token --user ada@example.com \
                            --scope read:orders\n  curl -H \"Authorization: Bearer $(portcullis token)\" http://localhost:4401/catalogue"
    )]
    Token(Token),
    /// Prove the security measures by evidence
    #[command(
        after_help = "Examples:\n  portcullis audit --document docs/security-measures.md\n  portcullis audit --format \
                            json --only N2 --only A9\n  portcullis audit --output report.html --output report.sarif\n  portcullis audit --from report.json \
                            --format html --public\n  portcullis audit --schedule 6h\n\nExit: 70 internal, 2 usage, 1 a measure failed, 4 a regression \
                            against --since, 3 something is not proven, 0 otherwise. With \
                            --schedule: 2 if the first run is wrong usage, 0 after SIGTERM or Ctrl-C."
    )]
    Audit(Audit),
    /// Whether a report may be believed, offline: signature, key, age, chain
    #[command(
        after_help = "Examples:\n  portcullis verify report.json --key evidence-key.json\n  portcullis verify report.json --key \
                            kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k --chain data/audit --challenge 7f3a\n\nIt reads no configuration and \
                            asks no server.\n\nExit: 0 good, 1 a signature or a chain is bad, 3 sound but stale, signed by another key \
                            than --key or for another challenge, 2 usage."
    )]
    Verify(Verify),
    /// Find secrets in a work tree and in all of its history
    #[command(
        after_help = "Examples:\n  portcullis scan\n  portcullis scan --staged\n  portcullis scan ../backend --json\n\nEvery file that git \
                      tracks or would take, and every object of the repository, reachable or not. A line that ends in \
                      `portcullis:allow REASON` is let be, and so is what the baseline names.\n\nExit: 0 clean, 1 found, 3 it could \
                      not look at everything, 2 usage."
    )]
    Scan(Scan),
    /// Make the store agree with declared APIs, applications, roles and users
    #[command(after_help = "Example:\n  portcullis apply declared.yaml --dry-run")]
    Apply(Apply),
    /// The credentials of Portcullis's own database and of every managed one
    #[command(subcommand)]
    Database(Database),
    /// From outside: can a stranger reach the database?
    #[command(
        after_help = "Examples:\n  portcullis probe db.example.com:5432 --control https://api.example.com\n  portcullis probe \
                      shuttle.proxy.rlwy.net:15140 --control https://api.example.com --json > probe.json\n\nRun it where a \
                      stranger stands, on a CI runner, say: it reads no configuration.\n\nExit: 0 every endpoint is closed, 1 one is \
                      open, 3 it could not tell, 2 usage, 70 a fault of ours."
    )]
    Probe(Probe),
    /// Copy the whole store to an encrypted file, while the server runs
    #[command(
        after_help = "Examples:\n  portcullis backup portcullis-2027-01-01.db\n  portcullis backup copy.db --key-file copy.key\n\nThe copy is \
                      opened and compared before it gets its name. Keep its key, and the key-encryption key, elsewhere.\n\nExit: 0 \
                      copied and verified, 1 it failed, 2 usage or configuration."
    )]
    Backup(Backup),
    /// Fill an empty store from a copy, all or nothing
    #[command(
        after_help = "Examples:\n  portcullis restore portcullis-2027-01-01.db\n  portcullis restore copy.db --key-file copy.key \
                      --replace\n\nStop the server first.\n\nExit: 0 restored and verified, 1 it failed, 2 usage or configuration."
    )]
    Restore(Restore),
    /// The board of measures in a browser
    #[command(subcommand)]
    Console(Console),
    /// Users
    #[command(subcommand)]
    User(User),
    /// Applications (OAuth clients)
    #[command(subcommand)]
    App(App),
    /// APIs (audiences) and their scopes
    #[command(subcommand)]
    Api(Api),
    /// Roles: what users may do
    #[command(subcommand)]
    Role(Role),
    /// Legacy API keys, while moving to OAuth
    #[command(subcommand)]
    Key(Key),
    /// Keys that sign tokens
    #[command(subcommand)]
    SigningKeys(SigningKeys),
    /// Print shell completions
    #[command(after_help = "Example:\n  portcullis completions bash > /etc/bash_completion.d/portcullis")]
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
}

/// Which installation is meant.
#[derive(Args, Debug, Clone)]
pub struct Where {
    /// The configuration [default: portcullis.toml, else the folder of `dev`]
    #[arg(long, value_name = "FILE", env = "PORTCULLIS_CONFIG", conflicts_with = "dir")]
    pub config: Option<PathBuf>,
    /// A folder of `portcullis dev`
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Print JSON for programs
    #[arg(long)]
    pub json: bool,
}

/// `portcullis init`
#[derive(Args, Debug)]
pub struct Init {
    /// A folder of the repository
    #[arg(default_value = ".", value_name = "FOLDER")]
    pub folder: PathBuf,
    /// Overwrite what is there, without asking
    #[arg(long)]
    pub yes: bool,
    /// Show what would be written, write nothing
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Print JSON for programs; asks nothing
    #[arg(long)]
    pub json: bool,
}

/// `portcullis dev`
#[derive(Args, Debug)]
pub struct Dev {
    /// Where state lives
    #[arg(long, default_value = ".portcullis", value_name = "DIR")]
    pub dir: PathBuf,
    /// Your backend; without it a small sample backend runs
    #[arg(long, value_name = "URL", requires = "openapi")]
    pub upstream: Option<String>,
    /// Your backend's OpenAPI document
    #[arg(long, value_name = "FILE", requires = "upstream")]
    pub openapi: Option<PathBuf>,
    /// Your frontend's origin, such as http://localhost:5173
    #[arg(long = "frontend", value_name = "ORIGIN")]
    pub frontends: Vec<String>,
    /// Identity listens here, the gateway on the next port, operations and mailbox on the one after; 0 takes free ones
    #[arg(long, default_value_t = 4400, value_name = "N")]
    pub port: u16,
    /// https, with a certificate authority of its own in DIR/ca.pem
    #[arg(long)]
    pub tls: bool,
    /// Print one line of JSON when ready
    #[arg(long)]
    pub json: bool,
}

/// `portcullis serve`
#[derive(Args, Debug)]
pub struct Serve {
    /// The configuration
    #[arg(long, default_value = "portcullis.toml", value_name = "FILE", env = "PORTCULLIS_CONFIG")]
    pub config: PathBuf,
    /// Print one line of JSON when ready
    #[arg(long)]
    pub json: bool,
}

/// `portcullis explain`
#[derive(Args, Debug)]
pub struct Explain {
    /// The method, or `cors`
    #[arg(required_unless_present = "request", value_name = "METHOD|cors")]
    pub method: Option<String>,
    /// The path, or the origin after `cors`
    #[arg(required_unless_present = "request", value_name = "PATH|ORIGIN")]
    pub target: Option<String>,
    /// A file with an access token to decide with (- for standard input), or the token
    #[arg(long, value_name = "T", conflicts_with = "scopes")]
    pub token: Option<String>,
    /// Scopes to decide with, separated by spaces
    #[arg(long, value_name = "S")]
    pub scopes: Option<String>,
    /// Who holds those scopes
    #[arg(long, value_enum, default_value_t = Holder::User, requires = "scopes")]
    pub caller: Holder,
    /// A refused request, by the X-Request-Id of its answer
    #[arg(long, value_name = "ID", conflicts_with_all = ["method", "target"])]
    pub request: Option<String>,
    /// Which installation
    #[command(flatten)]
    pub place: Where,
}

/// Who holds the scopes of `explain --scopes`.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Holder {
    /// A user.
    User,
    /// A client.
    Client,
}

/// `portcullis token`
#[derive(Args, Debug)]
pub struct Token {
    /// The application, by id or name [default: the one of `dev`]
    #[arg(long, value_name = "ID", conflicts_with = "user")]
    pub app: Option<String>,
    /// A user's token; development only
    #[arg(long, value_name = "ADDRESS")]
    pub user: Option<String>,
    /// Only these scopes
    #[arg(long = "scope", value_name = "S")]
    pub scopes: Vec<String>,
    /// For which API [default: the gateway's audience]
    #[arg(long, value_name = "URI")]
    pub audience: Option<String>,
    /// Which installation
    #[command(flatten)]
    pub place: Where,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, ValueEnum, PartialEq, Eq)]
pub enum Format {
    /// For people at a terminal.
    Text,
    /// The team's document, boxes by evidence; without a document, the run on one page.
    Markdown,
    /// What changed since the report of --since, for the comment under a pull request.
    Difference,
    /// The whole report.
    Json,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit XML, for CI.
    Junit,
    /// One page, to keep, to print and (--public) to share.
    Html,
    /// OSCAL assessment results, for auditors' tools.
    Oscal,
    /// Gauges in Prometheus's text format.
    Prometheus,
    /// An SVG badge.
    Badge,
}

/// `portcullis audit`
#[derive(Args, Debug, Clone)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Audit {
    /// Something else than an audit
    #[command(subcommand)]
    pub command: Option<AuditCommand>,
    /// How to print the report [default: text; markdown with --document]; not beside --json
    #[arg(long, value_enum, conflicts_with = "json")]
    pub format: Option<Format>,
    /// Also write the report to a file, in the format that its name says (.html .json .sarif .xml .oscal.json .prom .svg
    /// .md .difference.md .txt), or as FORMAT=FILE; repeats
    #[arg(long = "output", value_name = "FILE")]
    pub output: Vec<String>,
    /// The HTML page is for strangers: no hosts, paths, requests or evidence
    #[arg(long)]
    pub public: bool,
    /// The team's document; its sentences are printed word for word, boxes by evidence
    #[arg(long, value_name = "FILE")]
    pub document: Option<PathBuf>,
    /// Write the boxes back into the document
    #[arg(long, requires = "document")]
    pub write: bool,
    /// Only these measures
    #[arg(long = "only", value_name = "ID")]
    pub only: Vec<String>,
    /// An earlier JSON report to compare with
    #[arg(long, value_name = "REPORT")]
    pub since: Option<PathBuf>,
    /// JSON reports of other environments, for lines that speak of several
    #[arg(long = "with", value_name = "REPORT")]
    pub with: Vec<PathBuf>,
    /// Audit nothing: what this JSON report says, judged by its age now
    #[arg(long, value_name = "REPORT", conflicts_with_all = ["only", "challenge"])]
    pub from: Option<PathBuf>,
    /// A text that the report repeats, to show that it is fresh
    #[arg(long, value_name = "NONCE")]
    pub challenge: Option<String>,
    /// Audit nothing: plant defects in a temporary folder and on loopback, and see whether each is found
    #[arg(long, conflicts_with_all = ["document", "only", "since", "with", "from", "challenge"])]
    pub self_test: bool,
    /// Audit now, and again and again so long after, until SIGTERM or Ctrl-C; what is news is a log record
    #[arg(
        long,
        value_name = "INTERVAL",
        value_parser = Span::parse,
        conflicts_with_all = ["from", "since", "challenge", "self_test"]
    )]
    pub schedule: Option<Span>,
    /// Which installation
    #[command(flatten)]
    pub place: Where,
}

/// `portcullis scan`
#[derive(Args, Debug)]
pub struct Scan {
    /// A folder, in a repository or not, or one file
    #[arg(default_value = ".", value_name = "PATH")]
    pub path: PathBuf,
    /// Only what the next commit brings: for a hook
    #[arg(long)]
    pub staged: bool,
    /// What was looked at and let be [default: secrets-baseline.json at the repository's top, if it is there]
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// Print JSON for programs
    #[arg(long)]
    pub json: bool,
}

/// `portcullis apply`
#[derive(Args, Debug)]
pub struct Apply {
    /// Declared state, YAML
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// Show the difference, change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Also remove what is not declared
    #[arg(long)]
    pub prune: bool,
    /// Which installation
    #[command(flatten)]
    pub place: Where,
}

/// The loopback address that `dev` listens on.
pub const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_well_formed() {
        CommandLine::command().debug_assert();
    }

    #[test]
    fn what_an_audit_would_not_heed_is_usage() {
        for arguments in [
            &["--from", "r.json", "--only", "N2"][..],
            &["--from", "r.json", "--challenge", "7f3a"],
            &["--json", "--format", "text"],
            &["--schedule", "6"],
            &["--schedule", "6h", "--from", "r.json"],
            &["--schedule", "6h", "--challenge", "7f3a"],
            &["--schedule", "6h", "--since", "r.json"],
        ] {
            let all = ["portcullis", "audit"].iter().chain(arguments);
            assert!(CommandLine::try_parse_from(all).is_err(), "{arguments:?}");
        }
    }

    #[test]
    fn every_command_shows_an_example_or_is_a_noun() {
        for command in CommandLine::command().get_subcommands() {
            let noun = command.has_subcommands();
            let example =
                command.get_after_help().is_some_and(|help| help.to_string().contains("portcullis"));
            assert!(noun || example, "{} has no example", command.get_name());
        }
    }
}
