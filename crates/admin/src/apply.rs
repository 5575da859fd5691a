//! Making the store look as declared: load, decide, commit. Applying twice does nothing the second time.
//!
//! Everything that can be refused is refused before the first write. Each step is a transaction of its own; when one fails (a full disk, say)
//! those before it stand, and the next run takes the rest.

use accounts::password::SALT_LENGTH;
use accounts::user::{Email, UserId};
use oauth::client::{AuthMethod, CLIENT_ID_LENGTH};
use oauth::one_time_secret::OneTimeSecret;
use secrecy::SecretString;
use serde::Serialize;
use store::{ClientRow, Insertion, Store};

use crate::applications::{self, Draft};
use crate::declared::{At, Declared, DeclaredUser, Password};
use crate::plan::{Change, Present, Target, plan};
use crate::secret::{read_secret_file, shown_once};
use crate::users::Passwords;
use crate::{Error, roles};

/// How to apply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// Find the changes, and make none.
    pub dry_run: bool,
    /// Remove the APIs, roles and applications that a declared section does not name.
    pub prune: bool,
}

/// What was done, or would be.
#[derive(Debug, Serialize)]
pub struct Applied {
    /// Nothing was written.
    pub dry_run: bool,
    /// The steps, in order. None: everything was as declared.
    pub changes: Vec<Change>,
    /// Secrets that were made, shown this once.
    pub secrets: Vec<NewSecret>,
}

/// The secret of an application that had none.
#[derive(Debug, Serialize)]
pub struct NewSecret {
    /// The application's name.
    pub application: String,
    /// Its identifier.
    pub client_id: String,
    /// Its secret.
    #[serde(serialize_with = "shown_once")]
    pub client_secret: SecretString,
}

/// Random bytes, 32 at a time: drawn at the edge, as many as the plan turns out to need.
pub type Draw<'a> = dyn FnMut() -> [u8; 32] + Send + 'a;

/// How often nodes that apply the same at once may meet before it is an error.
const ATTEMPTS: u32 = 8;

/// Makes the store look as declared.
///
/// # Errors
/// Where the declaration is wrong (with file and line, before anything is written), or the store fails.
pub async fn apply(
    store: &Store,
    declared: &Declared,
    options: Options,
    passwords: &mut Passwords<'_>,
    now: i64,
    fresh: &mut Draw<'_>,
) -> Result<Applied, Error> {
    let mut applied = Applied { dry_run: options.dry_run, changes: Vec::new(), secrets: Vec::new() };
    let mut attempts = 1;
    loop {
        match attempt(store, declared, options, passwords, now, fresh, &mut applied).await {
            // Another node that starts with the same declaration was first with a name: what is left is read and planned
            // again. Each such meeting means that the other has got on.
            Err(Error::Store(store::Fault::Conflict(_))) if attempts < ATTEMPTS => attempts += 1,
            Err(error) => return Err(error),
            Ok(()) => break,
        }
    }
    Ok(applied)
}

/// One reading, plan and run; what was done is added to `applied`, also when a later step fails.
async fn attempt(
    store: &Store,
    declared: &Declared,
    options: Options,
    passwords: &mut Passwords<'_>,
    now: i64,
    fresh: &mut Draw<'_>,
    applied: &mut Applied,
) -> Result<(), Error> {
    let present = load(store, declared).await?;
    let changes = plan(declared, &present, options.prune)?;
    let mut users = new_users(&changes, passwords, now, fresh)?.into_iter();
    for change in changes {
        if !options.dry_run {
            let user = matches!(change.target, Target::NewUser { .. }).then(|| users.next()).flatten();
            applied.secrets.extend(commit(store, &change, user, now, fresh).await?);
        }
        applied.changes.push(change);
    }
    Ok(())
}

async fn load(store: &Store, declared: &Declared) -> Result<Present, Error> {
    let mut users = Vec::new();
    for at in declared.users.iter().flatten() {
        // What is no address is refused by the plan, with its line.
        let Ok(email) = Email::parse(&at.value.email) else { continue };
        if let Some(user) = store.user_by_email(email.canonical()).await? {
            let roles = store.user_roles(&user.id).await?;
            users.push((user, roles));
        }
    }
    Ok(Present {
        apis: store.apis().await?,
        roles: store.roles().await?,
        applications: store.clients().await?,
        users,
    })
}

/// A user that only has to be inserted.
struct ReadyUser {
    row: store::NewUser,
    roles: Option<Vec<String>>,
    blocked: bool,
}

/// Reads and hashes the passwords of the users to make: here they are refused, before anything is written.
fn new_users(
    changes: &[Change],
    passwords: &mut Passwords<'_>,
    now: i64,
    fresh: &mut Draw<'_>,
) -> Result<Vec<ReadyUser>, Error> {
    let mut ready = Vec::new();
    for change in changes {
        let Target::NewUser { email, declared } = &change.target else { continue };
        ready.push(new_user(email, declared, passwords, now, fresh).map_err(|error| declared.locate(error))?);
    }
    Ok(ready)
}

fn new_user(
    email: &Email,
    declared: &At<DeclaredUser>,
    passwords: &mut Passwords<'_>,
    now: i64,
    fresh: &mut Draw<'_>,
) -> Result<ReadyUser, Error> {
    let user = &declared.value;
    let password = match &user.password {
        None => None,
        Some(Password::File(path)) => Some(read_secret_file(path)?),
        Some(Password::Given(secret)) => Some(secret.clone()),
    };
    let salt = first::<SALT_LENGTH>(fresh());
    let password_hash = password.map(|password| passwords.hash(email, &password, salt)).transpose()?;
    let row = store::NewUser {
        id: UserId::new(first(fresh())).to_string(),
        email: email.as_str().to_owned(),
        email_canonical: email.canonical().to_owned(),
        email_verified: user.verified.unwrap_or(false),
        password_hash,
        created_at: now,
    };
    Ok(ReadyUser { row, roles: user.roles.clone(), blocked: user.blocked.unwrap_or(false) })
}

fn first<const N: usize>(bytes: [u8; 32]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
    out
}

async fn commit(
    store: &Store,
    change: &Change,
    user: Option<ReadyUser>,
    now: i64,
    fresh: &mut Draw<'_>,
) -> Result<Option<NewSecret>, Error> {
    match &change.target {
        Target::Api(api) => store.upsert_api(api, now).await?,
        Target::Role(role) => roles::write(store, role, now).await?,
        Target::App { draft, present } => {
            return write_application(store, draft, present.as_deref(), now, fresh).await;
        }
        Target::NewUser { .. } => {
            if let Some(user) = user {
                insert_user(store, user, now).await?;
            }
        }
        Target::User { id, change, roles } => {
            if *change != store::UserChange::default() {
                store.update_user(id, change, now).await?;
            }
            if let Some(roles) = roles {
                store.set_user_roles(id, roles, now).await?;
            }
        }
        Target::NoApi => drop(store.delete_api(&change.name, now).await?),
        Target::NoRole => drop(store.delete_role(&change.name, now).await?),
        Target::NoApp { id } => drop(store.delete_client(id, now).await?),
    }
    Ok(None)
}

async fn insert_user(store: &Store, user: ReadyUser, now: i64) -> Result<(), Error> {
    let roles = match user.roles {
        Some(roles) => roles,
        None => store.default_roles().await?,
    };
    // Whoever signed up in this moment keeps the account as it is; the next run sees it.
    if store.insert_user(&user.row, &roles).await? == Insertion::Inserted && user.blocked {
        let blocked = store::UserChange { blocked: Some(true), ..store::UserChange::default() };
        store.update_user(&user.row.id, &blocked, now).await?;
    }
    Ok(())
}

async fn write_application(
    store: &Store,
    draft: &Draft,
    present: Option<&ClientRow>,
    now: i64,
    fresh: &mut Draw<'_>,
) -> Result<Option<NewSecret>, Error> {
    let Some(present) = present else {
        const { assert!(CLIENT_ID_LENGTH == 32, "an identifier is made of one draw") };
        let bytes = applications::Fresh { id: fresh(), secret: fresh() };
        let created = applications::insert(store, draft, now, bytes).await?;
        let (application, client_id) = (created.application.name, created.application.client_id);
        return Ok(created.client_secret.map(|client_secret| NewSecret {
            application,
            client_id,
            client_secret,
        }));
    };
    let mut made = None;
    let digest = match (draft.auth_method, draft.digest, &present.secret_digest) {
        (AuthMethod::None, _, _) => None,
        (_, Some(given), _) => Some(given.as_bytes().to_vec()),
        // The stored one stays, also where another has rotated it since the read.
        (_, None, Some(_)) => None,
        (_, None, None) => {
            let secret = OneTimeSecret::new(fresh());
            let digest = secret.digest().as_bytes().to_vec();
            made = Some(secret.reveal());
            Some(digest)
        }
    };
    let row = draft.row(present.id.clone(), digest, present.created_at);
    store.upsert_client(&row, &draft.apis, now).await?;
    let (application, client_id) = (row.name, row.id);
    Ok(made.map(|client_secret| NewSecret { application, client_id, client_secret }))
}
