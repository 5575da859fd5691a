//! Looks at a database: on the wire for everybody who can log in, by one wrong password each, and in the catalogue.

use std::net::IpAddr;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use secrecy::SecretString;

use super::catalogue::{self, Entry};
use super::facts::{
    Access, Channel, Door, Facts, Login, Path, Provenance, Role, Server, Stored, SystemUser, Try,
    WrongPassword,
};
use super::password::{Context, weaknesses};
use super::wire::{self, Address};
use crate::Credential;
use crate::connect::{LoginFault, login, logout};
use crate::isolation::{Reach, classify_address};

/// How many start-ups are under way at once.
const AT_ONCE: usize = 8;
/// How many pairs of role and database are tried at one address.
const MOST_PAIRS: usize = 400;

/// How to look.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// Who may read `pg_authid` and `pg_hba_file_rules`; without it the application's own role looks.
    pub administrator: Option<&'a Credential>,
    /// The server itself, where the credential leads to a pooler: a pooler hides what the server asks.
    pub direct: Option<Address>,
    /// What is tried as the wrong password: fresh random text that is nobody's.
    pub wrong: SecretString,
    /// How long one start-up may take.
    pub patience: Duration,
}

/// Looks. What cannot be seen is in the facts as such; nothing is changed.
pub async fn observe(credential: &Credential, options: &Options<'_>) -> Facts {
    let mut own = login(credential).await;
    let control = match &own {
        Ok(_) => Login::Works,
        Err(LoginFault::Refused { code, message }) => Login::Refused(format!("{code} {message}")),
        Err(LoginFault::Unknown(reason)) => Login::Unclear(reason.clone()),
    };
    let mut seen = Catalogue::unseen(&control);
    let mut system_user = SystemUser::Unseen;
    if let Ok(session) = &mut own {
        seen = Catalogue::look(session).await;
        if seen.server.as_ref().is_ok_and(|server| server.version >= 160_000) {
            system_user = match catalogue::system_user(session).await {
                Ok(Some(user)) => SystemUser::Is(user),
                Ok(None) => SystemUser::Nobody,
                Err(_) => SystemUser::Unseen,
            };
        }
    }
    if let Ok(session) = own {
        logout(session).await;
    }
    if let Some(administrator) = options.administrator
        && let Ok(mut session) = login(administrator).await
    {
        seen.improve(Catalogue::look(&mut session).await);
        logout(session).await;
    }

    let roles = known_roles(&seen.server, credential);
    let addresses =
        [Some(Address { host: credential.host.clone(), port: credential.port }), options.direct.clone()];
    let mut doors = Vec::new();
    let mut peers = Vec::new();
    for address in addresses.into_iter().flatten() {
        let (door, peer) = door(address, &roles, options.patience).await;
        doors.push(door);
        peers.push(peer);
    }
    let tries = tries(credential, &roles, &options.wrong).await;
    Facts {
        role: credential.username.clone(),
        database: credential.database.clone(),
        channel: channel(credential, doors.first(), peers.first().copied().flatten()),
        provenance: provenance(credential, &seen),
        doors,
        control,
        system_user,
        tries,
        server: seen.server,
        stored: seen.stored,
        rules: seen.rules,
    }
}

/// What one session could read.
struct Catalogue {
    server: Result<Server, String>,
    stored: Result<Vec<Stored>, String>,
    rules: Result<Vec<super::facts::Rule>, String>,
    ledger: Result<Vec<Entry>, String>,
}

impl Catalogue {
    fn unseen(control: &Login) -> Self {
        let why = match control {
            Login::Works => String::new(),
            Login::Refused(reason) | Login::Unclear(reason) => reason.clone(),
        };
        Self { server: Err(why.clone()), stored: Err(why.clone()), rules: Err(why.clone()), ledger: Err(why) }
    }

    async fn look(session: &mut sqlx::PgConnection) -> Self {
        let server = catalogue::server(session).await;
        let roles = server.as_ref().map(|server| server.roles.as_slice()).unwrap_or_default();
        let stored = catalogue::stored(session, roles).await;
        let rules = catalogue::rules(session).await;
        let ledger = catalogue::ledger(session).await;
        Self { server, stored, rules, ledger }
    }

    /// Takes what the other session could read and this one could not, and what it saw better.
    fn improve(&mut self, other: Self) {
        fn better<T>(own: &mut Result<T, String>, other: Result<T, String>) {
            if other.is_ok() {
                *own = other;
            }
        }
        better(&mut self.server, other.server);
        better(&mut self.stored, other.stored);
        better(&mut self.rules, other.rules);
        better(&mut self.ledger, other.ledger);
    }
}

/// Everybody who can log in; where the catalogue is closed, the application's own role alone.
fn known_roles(server: &Result<Server, String>, credential: &Credential) -> Vec<Role> {
    let mut roles = server.as_ref().map(|server| server.roles.clone()).unwrap_or_default();
    if !roles.iter().any(|role| role.name == credential.username) {
        let databases = vec![credential.database.clone()];
        roles.push(Role { name: credential.username.clone(), databases, ..Role::default() });
    }
    // Its own role and database first, should there be too many.
    roles.sort_by_key(|role| role.name != credential.username);
    for role in &mut roles {
        role.databases.sort_by_key(|database| *database != credential.database);
    }
    roles
}

async fn door(address: Address, roles: &[Role], patience: Duration) -> (Door, Option<IpAddr>) {
    let answered = wire::offers_tls(&address, patience).await;
    let peer = answered.as_ref().ok().map(|(_, peer)| *peer);
    let offers_tls = answered.map(|(offers, _)| offers);
    let mut pairs: Vec<(&str, Option<&str>)> = Vec::new();
    for role in roles {
        pairs.extend(role.databases.iter().map(|database| (role.name.as_str(), Some(database.as_str()))));
        if role.replication || role.superuser {
            pairs.push((role.name.as_str(), None));
        }
    }
    let left_out = pairs.len().saturating_sub(MOST_PAIRS);
    pairs.truncate(MOST_PAIRS);
    let ways: &[bool] = if offers_tls == Ok(true) { &[false, true] } else { &[false] };
    let asks =
        pairs.into_iter().flat_map(|(role, database)| ways.iter().map(move |tls| (role, database, *tls)));
    let asks = asks.map(|(role, database, tls)| {
        let address = address.clone();
        async move {
            let asked = wire::ask(&address, role, database, tls, patience).await;
            Access { role: role.to_owned(), database: database.map(str::to_owned), tls, asked }
        }
    });
    // Collected first: each is a future that has not begun.
    let asks: Vec<_> = asks.collect();
    let accesses =
        if offers_tls.is_ok() { stream::iter(asks).buffered(AT_ONCE).collect().await } else { Vec::new() };
    (Door { address, offers_tls, accesses, left_out }, peer)
}

/// One wrong password a role: more would feed a lock-out.
async fn tries(credential: &Credential, roles: &[Role], wrong: &SecretString) -> Vec<Try> {
    let mut tries = Vec::new();
    for role in roles {
        let Some(database) = role.databases.first() else { continue };
        let attempt = Credential {
            username: role.name.clone(),
            password: wrong.clone(),
            database: database.clone(),
            ..credential.clone()
        };
        let outcome = match login(&attempt).await {
            Ok(session) => {
                logout(session).await;
                WrongPassword::Accepted
            }
            Err(LoginFault::Refused { .. }) => WrongPassword::Refused,
            // PgBouncer has one code for everything, and says it in words.
            Err(LoginFault::Unknown(reason)) if pooler_refuses(&reason) => WrongPassword::Refused,
            Err(LoginFault::Unknown(reason)) => WrongPassword::Unclear(reason),
        };
        tries.push(Try { role: role.name.clone(), database: database.clone(), outcome });
    }
    tries
}

fn pooler_refuses(reason: &str) -> bool {
    const WORDS: [&str; 4] = [
        "08P01 SASL authentication failed",
        "08P01 password authentication failed",
        "08P01 auth failed",
        "08P01 no such user",
    ];
    WORDS.iter().any(|words| reason.starts_with(words))
}

/// Ours where the newest row of the ledger is that of what the server stores now. A ledger alone is a claim.
fn provenance(credential: &Credential, seen: &Catalogue) -> Provenance {
    let role = &credential.username;
    let live = seen.stored.as_ref().ok().and_then(|all| all.iter().find(|stored| stored.role == *role));
    let live = live.and_then(|stored| stored.fingerprint.as_ref());
    let entries = seen.ledger.as_deref().unwrap_or_default();
    let newest = entries.iter().filter(|entry| entry.role == *role).max_by_key(|entry| entry.generation);
    match (live, newest) {
        (Some(live), Some(entry)) if *live == entry.fingerprint => {
            Provenance::Ours { generation: entry.generation }
        }
        _ => Provenance::Foreign(weaknesses(
            &credential.password,
            Context { role, database: &credential.database, host: &credential.host },
        )),
    }
}

fn channel(credential: &Credential, door: Option<&Door>, peer: Option<IpAddr>) -> Channel {
    let mode = url::form_urlencoded::parse(credential.parameters.as_bytes())
        .find(|(name, _)| matches!(&**name, "sslmode" | "ssl-mode"))
        .map(|(_, value)| value.into_owned());
    let offered = door.and_then(|door| door.offers_tls.as_ref().ok().copied());
    let tls = match mode.as_deref() {
        Some("require" | "verify-ca" | "verify-full") => Some(true),
        Some("disable" | "allow") => Some(false),
        _ => offered,
    };
    let path = peer.map_or(Path::Unknown, |peer| match classify_address(peer).reach {
        Reach::Inside => Path::Private,
        Reach::Outside => Path::Public,
        Reach::Unclear => Path::Unknown,
    });
    Channel { tls, tls_is_optional: matches!(mode.as_deref(), None | Some("prefer")), path }
}
