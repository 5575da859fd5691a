//! What `dev` finds in its store at every start: an API, a role, a machine application, and the auditor's user.
//! Each is made where it is missing. To one that is there, a start adds only what no start before has offered: a scope
//! of an endpoint that is new. What somebody took away stays away.

use super::folder::{Folder, MachineApplication};
use crate::clock::{fresh, now};
use crate::commands::CommandError;
use crate::wiring::policy::Policy;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use policy::{Requirement, Scope, ScopeSet};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use store::{Api, ApiScope, ClientGrant, ClientRow, Store};

/// The role that new users get.
const ROLE: &str = "user";
/// The machine application's name.
const APPLICATION: &str = "dev";
/// A second API, for which the machine application gets tokens that the gateway must refuse.
pub const OTHER_AUDIENCE: &str = "urn:portcullis:elsewhere";
/// The address of the auditor's own user.
const AUDIT_USER: &str = "audit@example.com";

/// What a start made sure of.
pub struct Seeded {
    /// Every scope of the API.
    pub scopes: Vec<String>,
    /// Those that clients may use, as far as the machine application has them.
    pub client_scopes: ScopeSet,
    /// Those that users may use, as far as the role has them.
    pub user_scopes: ScopeSet,
    /// The machine application.
    pub application: MachineApplication,
}

/// The scopes that starts have offered so far, kept in the folder: one of them that is not there now was taken away.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Offered {
    api: BTreeSet<String>,
    role: BTreeSet<String>,
    application: BTreeSet<String>,
}

/// Where [`Offered`] is kept.
const OFFERED: &str = "offered.json";

/// Makes sure of all of it. `session_scope`: sign-up and login want a client's token here.
pub async fn seed(
    store: &Store,
    folder: &Folder,
    policy: &Policy,
    audience: &str,
    session_scope: bool,
) -> Result<Seeded, CommandError> {
    let (user_scopes, mut client_scopes) = scopes_by_caller(policy);
    let mut scopes = user_scopes.union(&client_scopes);
    for scope in policy.openapi.iter().flat_map(|openapi| openapi.scopes().keys()) {
        scopes.insert(scope.clone());
    }
    let of_document = scopes.to_vec();
    if session_scope && let Ok(session) = Scope::parse("session") {
        scopes.insert(session.clone());
        client_scopes.insert(session);
    }
    // A folder of before, or a first start: nothing is known to have been offered.
    let before: Offered = folder.read(OFFERED).unwrap_or_default();
    let before = if store.api(audience).await?.is_some() { before } else { Offered::default() };
    api(store, audience, "the gateway", &scopes, &before.api).await?;
    let mark =
        policy::ScopeSet::parse("elsewhere").map_err(|error| CommandError::failed(error.to_string()))?;
    api(store, OTHER_AUDIENCE, "another API, for the audit", &mark, &BTreeSet::new()).await?;
    let role_has = role(store, audience, &user_scopes, &before.role).await?;
    let (application, application_has) =
        application(store, folder, audience, &client_scopes, &before.application).await?;
    audit_user(store, folder).await?;
    let mut offered = before.clone();
    for (known, now) in [
        (&mut offered.api, &scopes),
        (&mut offered.role, &user_scopes),
        (&mut offered.application, &client_scopes),
    ] {
        known.extend(now.to_vec());
    }
    if offered != before {
        folder.write(OFFERED, &offered)?;
    }
    let (user_scopes, client_scopes) =
        (user_scopes.intersection(&role_has), client_scopes.intersection(&application_has));
    Ok(Seeded { scopes: of_document, client_scopes, user_scopes, application })
}

fn scopes_by_caller(policy: &Policy) -> (ScopeSet, ScopeSet) {
    let (mut users, mut clients) = (ScopeSet::new(), ScopeSet::new());
    for rule in policy.table.rules() {
        let Requirement::Scopes { alternatives } = &rule.requirement else { continue };
        for alternative in alternatives {
            for scope in alternative.scopes.iter() {
                if alternative.caller.users() {
                    users.insert(scope.clone());
                }
                if alternative.caller.clients() {
                    clients.insert(scope.clone());
                }
            }
        }
    }
    (users, clients)
}

async fn api(
    store: &Store,
    identifier: &str,
    name: &str,
    scopes: &ScopeSet,
    offered: &BTreeSet<String>,
) -> Result<(), CommandError> {
    let before = store.api(identifier).await?;
    let mut api = before.clone().unwrap_or_else(|| Api {
        identifier: identifier.to_owned(),
        name: name.to_owned(),
        scopes: Vec::new(),
        signing_alg: "RS256".to_owned(),
        token_lifetime: None,
    });
    for scope in scopes.iter().filter(|scope| !offered.contains(scope.as_str())) {
        if !api.scopes.iter().any(|known| known.value == scope.as_str()) {
            api.scopes.push(ApiScope { value: scope.as_str().to_owned(), description: String::new() });
        }
    }
    if before.as_ref() != Some(&api) {
        store.upsert_api(&api, now()).await?;
    }
    Ok(())
}

/// What the role allows afterwards on the audience.
async fn role(
    store: &Store,
    audience: &str,
    scopes: &ScopeSet,
    offered: &BTreeSet<String>,
) -> Result<ScopeSet, CommandError> {
    let before = store.role(ROLE).await?;
    let mut permissions: BTreeSet<(String, String)> = before
        .iter()
        .flat_map(|role| &role.permissions)
        .map(|permission| (permission.audience.clone(), permission.scope.clone()))
        .collect();
    let held = permissions.len();
    let is_new = |scope: &&Scope| before.is_none() || !offered.contains(scope.as_str());
    permissions
        .extend(scopes.iter().filter(is_new).map(|scope| (audience.to_owned(), scope.as_str().to_owned())));
    let permissions: Vec<(String, String)> = permissions.into_iter().collect();
    if before.is_none() || permissions.len() != held {
        store.upsert_role(ROLE, "what every user may do", true, &permissions, now()).await?;
    }
    let has =
        |scope: &&Scope| permissions.iter().any(|(api, held)| api == audience && held == scope.as_str());
    Ok(scopes.iter().filter(has).cloned().collect())
}

async fn application(
    store: &Store,
    folder: &Folder,
    audience: &str,
    scopes: &ScopeSet,
    offered: &BTreeSet<String>,
) -> Result<(MachineApplication, ScopeSet), CommandError> {
    let kept = match folder.machine_application() {
        Ok(application) => store.client(&application.client_id).await?.map(|found| (application, found)),
        Err(_) => None,
    };
    let (application, mut row, mut grants, is_new) = match kept {
        Some((application, (row, grants))) => (application, row, grants, false),
        None => {
            let application = MachineApplication {
                client_id: oauth::client::new_client_id(fresh().map_err(CommandError::failed)?),
                client_secret: URL_SAFE_NO_PAD.encode(fresh::<32>().map_err(CommandError::failed)?),
            };
            let row = ClientRow {
                id: application.client_id.clone(),
                name: APPLICATION.to_owned(),
                kind: "non_interactive".to_owned(),
                secret_digest: None,
                auth_method: "client_secret_post".to_owned(),
                grants: vec!["client_credentials".to_owned()],
                callbacks: Vec::new(),
                logout_urls: Vec::new(),
                web_origins: Vec::new(),
                disabled: false,
                created_at: now(),
            };
            // One that lost its secret makes room: nobody can use it any more.
            if let Some((old, _)) = store.client_by_name(APPLICATION).await? {
                store.delete_client(&old.id, now()).await?;
            }
            (application, row, Vec::new(), true)
        }
    };
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, application.client_secret.as_bytes());
    let digest = Some(digest.as_ref().to_vec());
    let before = grants.clone();
    grant(&mut grants, OTHER_AUDIENCE, ["elsewhere"]);
    let unoffered = |scope: &&str| is_new || !offered.contains(*scope);
    grant(&mut grants, audience, scopes.iter().map(Scope::as_str).filter(unoffered));
    if is_new || row.secret_digest != digest || grants != before {
        row.secret_digest = digest;
        folder.keep_machine_application(&application)?;
        store.upsert_client(&row, &grants, now()).await?;
    }
    let held = grants.iter().filter(|grant| grant.audience == audience).flat_map(|grant| &grant.scopes);
    let held = ScopeSet::granted(&held.map(String::as_str).collect::<Vec<_>>().join(" "));
    Ok((application, held))
}

fn grant<'a>(grants: &mut Vec<ClientGrant>, audience: &str, scopes: impl IntoIterator<Item = &'a str>) {
    let index = grants.iter().position(|grant| grant.audience == audience).unwrap_or_else(|| {
        grants.push(ClientGrant { audience: audience.to_owned(), scopes: Vec::new() });
        grants.len() - 1
    });
    for scope in scopes {
        if !grants[index].scopes.iter().any(|held| held == scope) {
            grants[index].scopes.push(scope.to_owned());
        }
    }
}

/// A user whose password only this folder knows.
async fn audit_user(store: &Store, folder: &Folder) -> Result<(), CommandError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let file = folder.path.join("audit.password");
    let email =
        accounts::user::Email::parse(AUDIT_USER).map_err(|error| CommandError::failed(error.to_string()))?;
    let known = store.user_by_email(email.canonical()).await?;
    if known.is_some() && file.exists() {
        return Ok(());
    }
    let password =
        secrecy::SecretString::from(URL_SAFE_NO_PAD.encode(fresh::<24>().map_err(CommandError::failed)?));
    let parameters = accounts::password::Parameters::default();
    let mut memory = accounts::password::Memory::new();
    let hash = accounts::password::hash(
        &parameters,
        password.expose_secret().as_bytes(),
        fresh().map_err(CommandError::failed)?,
        &mut memory,
    )
    .map_err(|error| CommandError::failed(error.to_string()))?;
    std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&file)
        .and_then(|mut file| file.write_all(password.expose_secret().as_bytes()))
        .map_err(|error| CommandError::failed(format!("cannot write {}: {error}", file.display())))?;
    match known {
        Some(user) => {
            store.change_password(&user.id, &hash, now()).await?;
        }
        None => {
            let user = store::NewUser {
                id: accounts::user::UserId::new(fresh().map_err(CommandError::failed)?).to_string(),
                email: email.as_str().to_owned(),
                email_canonical: email.canonical().to_owned(),
                email_verified: true,
                password_hash: Some(hash),
                created_at: now(),
            };
            store.insert_user(&user, &[ROLE.to_owned()]).await?;
        }
    }
    Ok(())
}
