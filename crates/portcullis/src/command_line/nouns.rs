//! Administration by noun and verb: `portcullis user create …`.

use super::Where;
use clap::Subcommand;
use std::path::PathBuf;

/// `portcullis user`
#[derive(Subcommand, Debug)]
pub enum User {
    /// Add a user
    #[command(
        after_help = "Example:\n  portcullis user create --email ada@example.com --password-file - --role user < password.txt"
    )]
    Create {
        /// The address
        #[arg(long, value_name = "ADDRESS")]
        email: String,
        /// Where the password stands; - is standard input; without it the user sets one by a reset link
        #[arg(long, value_name = "FILE|-")]
        password_file: Option<PathBuf>,
        /// Roles [default: those that new users get]
        #[arg(long = "role", value_name = "NAME")]
        roles: Vec<String>,
        /// The address is known to be theirs
        #[arg(long)]
        verified: bool,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// List users
    List(Where),
    /// Show one user
    Show {
        /// Id or address
        user: String,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// Change a user
    #[command(
        after_help = "Example:\n  portcullis user update ada@example.com --role user --role editor\n  portcullis user update ada@example.com --blocked true"
    )]
    Update {
        /// Id or address
        user: String,
        /// The roles from now on
        #[arg(long = "role", value_name = "NAME")]
        roles: Vec<String>,
        /// Take all roles away
        #[arg(long, conflicts_with = "roles")]
        no_roles: bool,
        /// Whether the user may log in
        #[arg(long, value_name = "true|false")]
        blocked: Option<bool>,
        /// A new password; ends every session
        #[arg(long, value_name = "FILE|-")]
        password_file: Option<PathBuf>,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// Delete a user, with every session
    Delete {
        /// Id or address
        user: String,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
}

/// `portcullis app`
#[derive(Subcommand, Debug)]
pub enum App {
    /// Add an application; its secret is printed once
    #[command(
        after_help = "Example:\n  portcullis app create --name billing --type non_interactive --api https://api.example.com --scope read:orders"
    )]
    Create {
        /// What people call it
        #[arg(long)]
        name: String,
        /// What it is
        #[arg(long = "type", value_name = "spa|native|regular_web|non_interactive")]
        kind: String,
        /// Where codes may be sent
        #[arg(long = "callback", value_name = "URL")]
        callbacks: Vec<String>,
        /// Where a logout may lead
        #[arg(long = "logout-url", value_name = "URL")]
        logout_urls: Vec<String>,
        /// From which browser origins it runs
        #[arg(long = "web-origin", value_name = "ORIGIN")]
        web_origins: Vec<String>,
        /// Grant types [default: by type]
        #[arg(long = "grant", value_name = "TYPE")]
        grants: Vec<String>,
        /// How it proves itself at the token endpoint [default: by type]
        #[arg(long, value_name = "METHOD")]
        auth_method: Option<String>,
        /// The API it may call
        #[arg(long, value_name = "URI", requires = "scopes")]
        api: Option<String>,
        /// With which scopes
        #[arg(long = "scope", value_name = "NAME", requires = "api")]
        scopes: Vec<String>,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// List applications
    List(Where),
    /// Show one application
    Show {
        /// Id or name
        app: String,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// Change an application
    Update {
        /// Id or name
        app: String,
        /// Make and print a new secret; the old one is dead at once
        #[arg(long)]
        rotate_secret: bool,
        /// Whether it gets no more tokens
        #[arg(long, value_name = "true|false")]
        disabled: Option<bool>,
        /// The API whose scopes are changed
        #[arg(long, value_name = "URI", requires = "scopes")]
        api: Option<String>,
        /// Its scopes from now on
        #[arg(long = "scope", value_name = "NAME", requires = "api")]
        scopes: Vec<String>,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// Delete an application; its tokens are refused within a second
    Delete {
        /// Id or name
        app: String,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
}

/// `portcullis api`
#[derive(Subcommand, Debug)]
pub enum Api {
    /// Add an API
    #[command(
        after_help = "Example:\n  portcullis api create --identifier https://api.example.com --scope read:orders --scope write:orders"
    )]
    Create {
        /// Its audience, a URI
        #[arg(long, value_name = "URI")]
        identifier: String,
        /// What people call it
        #[arg(long)]
        name: Option<String>,
        /// A scope that it knows
        #[arg(long = "scope", value_name = "NAME")]
        scopes: Vec<String>,
        /// What signs its tokens
        #[arg(long, value_name = "RS256|ES256|EdDSA", default_value = "RS256")]
        signing_alg: String,
        /// How long its tokens live [default: access_token_lifetime]
        #[arg(long, value_name = "15m")]
        token_lifetime: Option<String>,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// List APIs
    List(Where),
    /// Show one API
    Show {
        /// Its identifier
        identifier: String,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// Change an API
    Update {
        /// Its identifier
        identifier: String,
        /// A scope that it also knows from now on
        #[arg(long = "add-scope", value_name = "NAME")]
        add_scopes: Vec<String>,
        /// A scope that it no longer knows; roles and applications lose it, too
        #[arg(long = "remove-scope", value_name = "NAME")]
        remove_scopes: Vec<String>,
        /// How long its tokens live
        #[arg(long, value_name = "15m")]
        token_lifetime: Option<String>,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// Delete an API, and what roles and applications may do on it
    Delete {
        /// Its identifier
        identifier: String,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
}

/// `portcullis role`
#[derive(Subcommand, Debug)]
pub enum Role {
    /// Add a role
    #[command(
        after_help = "Example:\n  portcullis role create editor --permission https://api.example.com=write:notes"
    )]
    Create {
        /// Its name
        name: String,
        /// What it allows: API and scope
        #[arg(long = "permission", value_name = "URI=SCOPE")]
        permissions: Vec<String>,
        /// New users get it
        #[arg(long)]
        default: bool,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// List roles
    List(Where),
    /// Show one role
    Show {
        /// Its name
        name: String,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// Change a role
    Update {
        /// Its name
        name: String,
        /// What it also allows from now on
        #[arg(long = "add-permission", value_name = "URI=SCOPE")]
        add: Vec<String>,
        /// What it no longer allows
        #[arg(long = "remove-permission", value_name = "URI=SCOPE")]
        remove: Vec<String>,
        /// Whether new users get it
        #[arg(long, value_name = "true|false")]
        default: Option<bool>,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// Delete a role
    Delete {
        /// Its name
        name: String,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
}

/// `portcullis key`
#[derive(Subcommand, Debug)]
pub enum Key {
    /// Make an API key; it is printed once
    #[command(
        after_help = "Example:\n  portcullis key create --name partner --scope read:orders --expires 90d"
    )]
    Create {
        /// Whose it is
        #[arg(long)]
        name: String,
        /// What it may do
        #[arg(long = "scope", value_name = "NAME", required = true)]
        scopes: Vec<String>,
        /// The application that will take its place
        #[arg(long, value_name = "ID")]
        client: Option<String>,
        /// When it ends, from now
        #[arg(long, value_name = "90d")]
        expires: Option<String>,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// Take over old static keys, as hashes
    #[command(after_help = "Example:\n  portcullis key import --file keys.yaml")]
    Import {
        /// YAML: a list of name, key, scopes, client, expires; - is standard input
        #[arg(long, value_name = "FILE|-")]
        file: PathBuf,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// List keys
    List(Where),
    /// Who still uses a key, and when last
    Report(Where),
    /// Show one key
    Show {
        /// Id or name
        key: String,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// Say which application a key stands for, or refuse it from now on and keep the record of it
    #[command(
        after_help = "Examples:\n  portcullis key update partner --client CLIENT_ID\n  portcullis key update partner --revoke"
    )]
    Update {
        /// Id or name
        key: String,
        /// Refuse it from now on
        #[arg(long, required_unless_present = "client")]
        revoke: bool,
        /// The application that takes its place; the backend sees it as X-Auth-Client
        #[arg(long, value_name = "ID")]
        client: Option<String>,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
    /// Delete a key and the record of it
    Delete {
        /// Id or name
        key: String,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
}

/// `portcullis signing-keys`
#[derive(Subcommand, Debug)]
pub enum SigningKeys {
    /// List keys, and when each signs and ends
    List(Where),
    /// Make the next key: published now, signing once every cache knows it
    #[command(after_help = "Example:\n  portcullis signing-keys rotate")]
    Rotate(Where),
    /// Take a key out of use at once; every token that it signed is refused
    Revoke {
        /// Its `kid`
        kid: String,
        /// Which installation
        #[command(flatten)]
        place: Where,
    },
}
