//! The difference between what is declared and what there is: pure, so `--dry-run` prints exactly what would be done.

mod difference;

use std::collections::BTreeSet;
use std::fmt;

use accounts::user::Email;
use serde::Serialize;
use store::{ClientGrant, ClientRow, User};

use crate::applications::{self, Draft};
use crate::declared::{At, Declared, DeclaredUser, Password};
use crate::{Error, apis, roles};
use difference::{api_difference, application_difference, role_difference, user_difference};

/// What there is, as it was loaded.
#[derive(Debug, Clone, Default)]
pub struct Present {
    /// Every API.
    pub apis: Vec<store::Api>,
    /// Every role.
    pub roles: Vec<store::Role>,
    /// Every application, with what it may ask for.
    pub applications: Vec<(ClientRow, Vec<ClientGrant>)>,
    /// The declared users that there are, with their roles.
    pub users: Vec<(User, Vec<String>)>,
}

/// What happens to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// `+`
    Add,
    /// `~`
    Alter,
    /// `-`
    Remove,
}

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An API.
    Api,
    /// A role.
    Role,
    /// An application.
    App,
    /// A user.
    User,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Role => "role",
            Self::App => "app",
            Self::User => "user",
        }
    }
}

/// One step from what there is to what is declared. Prints as `+ api https://api.example.com`, `~ role user: …`, `- app old`.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// What happens.
    pub action: Action,
    /// To what kind of thing.
    pub kind: Kind,
    /// To which.
    pub name: String,
    /// What is different, a phrase each. Empty where the thing is new or goes.
    pub details: Vec<String>,
    #[serde(skip)]
    pub(crate) target: Target,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.action {
            Action::Add => '+',
            Action::Alter => '~',
            Action::Remove => '-',
        };
        write!(f, "{sign} {} {}", self.kind.as_str(), self.name)?;
        if !self.details.is_empty() {
            write!(f, ": {}", self.details.join(", "))?;
        }
        Ok(())
    }
}

/// What is to be written.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    Api(store::Api),
    Role(store::Role),
    App { draft: Box<Draft>, present: Option<Box<ClientRow>> },
    NewUser { email: Email, declared: At<DeclaredUser> },
    User { id: String, change: store::UserChange, roles: Option<Vec<String>> },
    NoApi,
    NoRole,
    NoApp { id: String },
}

/// Finds the steps, in the order in which they can be taken.
///
/// With `prune`, what a declared section does not name is removed: APIs, roles and applications, never users, who sign up by themselves.
///
/// # Errors
/// Where something is declared twice, breaks a rule, or names what there will not be; with file and line.
pub fn plan(declared: &Declared, present: &Present, prune: bool) -> Result<Vec<Change>, Error> {
    let mut changes = Vec::new();
    let mut removals = Vec::new();

    let apis = plan_apis(declared, present, prune, &mut changes, &mut removals)?;
    let role_names = plan_roles(declared, present, &apis, prune, &mut changes, &mut removals)?;
    plan_applications(declared, present, &apis, prune, &mut changes, &mut removals)?;
    plan_users(declared, present, &role_names, &mut changes)?;

    // Applications first, then roles, then the APIs that both point at.
    changes.extend(removals.into_iter().rev());
    Ok(changes)
}

fn change(action: Action, kind: Kind, name: &str, details: Vec<String>, target: Target) -> Change {
    Change { action, kind, name: name.to_owned(), details, target }
}

/// Refuses what is declared twice.
fn once<T>(at: &At<T>, kind: Kind, name: &str, seen: &mut BTreeSet<String>) -> Result<(), Error> {
    if seen.insert(name.to_owned()) {
        return Ok(());
    }
    Err(at.locate(Error::invalid(
        format!("{} {name}", kind.as_str()),
        "is declared twice; put the two together",
    )))
}

/// The APIs that there will be.
fn plan_apis(
    declared: &Declared,
    present: &Present,
    prune: bool,
    changes: &mut Vec<Change>,
    removals: &mut Vec<Change>,
) -> Result<Vec<store::Api>, Error> {
    let mut seen = BTreeSet::new();
    let mut result = Vec::new();
    for at in declared.apis.iter().flatten() {
        once(at, Kind::Api, &at.value.identifier, &mut seen)?;
        let row = apis::validate(&at.value).map_err(|error| at.locate(error))?;
        match present.apis.iter().find(|api| api.identifier == row.identifier) {
            None => changes.push(change(
                Action::Add,
                Kind::Api,
                &row.identifier,
                Vec::new(),
                Target::Api(row.clone()),
            )),
            Some(before) => {
                let details = api_difference(before, &row);
                if *before != row {
                    changes.push(change(
                        Action::Alter,
                        Kind::Api,
                        &row.identifier,
                        details,
                        Target::Api(row.clone()),
                    ));
                }
            }
        }
        result.push(row);
    }
    for api in present.apis.iter().filter(|api| !seen.contains(&api.identifier)) {
        if prune && declared.apis.is_some() {
            removals.push(change(Action::Remove, Kind::Api, &api.identifier, Vec::new(), Target::NoApi));
        } else {
            result.push(api.clone());
        }
    }
    Ok(result)
}

/// The names of the roles that there will be.
fn plan_roles(
    declared: &Declared,
    present: &Present,
    apis: &[store::Api],
    prune: bool,
    changes: &mut Vec<Change>,
    removals: &mut Vec<Change>,
) -> Result<BTreeSet<String>, Error> {
    let mut seen = BTreeSet::new();
    for at in declared.roles.iter().flatten() {
        once(at, Kind::Role, &at.value.name, &mut seen)?;
        let row = roles::validate(&at.value, apis).map_err(|error| at.locate(error))?;
        match present.roles.iter().find(|role| role.name == row.name) {
            None => {
                changes.push(change(Action::Add, Kind::Role, &at.value.name, Vec::new(), Target::Role(row)))
            }
            Some(before) => {
                let details = role_difference(before, &row);
                if !details.is_empty() {
                    changes.push(change(
                        Action::Alter,
                        Kind::Role,
                        &at.value.name,
                        details,
                        Target::Role(row),
                    ));
                }
            }
        }
    }
    for role in present.roles.iter().filter(|role| !seen.contains(&role.name)).collect::<Vec<_>>() {
        if prune && declared.roles.is_some() {
            removals.push(change(Action::Remove, Kind::Role, &role.name, Vec::new(), Target::NoRole));
        } else {
            seen.insert(role.name.clone());
        }
    }
    Ok(seen)
}

fn plan_applications(
    declared: &Declared,
    present: &Present,
    apis: &[store::Api],
    prune: bool,
    changes: &mut Vec<Change>,
    removals: &mut Vec<Change>,
) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    let mut kept = BTreeSet::new();
    for at in declared.applications.iter().flatten() {
        once(at, Kind::App, &at.value.name, &mut seen)?;
        let draft = applications::validate(&at.value, apis).map_err(|error| at.locate(error))?;
        let by_id = |(row, _): &&(ClientRow, Vec<ClientGrant>)| {
            draft.client_id.as_ref().is_some_and(|id| row.id == *id)
        };
        let by_name = |(row, _): &&(ClientRow, Vec<ClientGrant>)| row.name == draft.name;
        let found =
            present.applications.iter().find(by_id).or_else(|| present.applications.iter().find(by_name));
        let name = draft.name.clone();
        let Some((row, access)) = found else {
            changes.push(change(
                Action::Add,
                Kind::App,
                &name,
                Vec::new(),
                Target::App { draft: Box::new(draft), present: None },
            ));
            continue;
        };
        if draft.client_id.as_ref().is_some_and(|id| *id != row.id) {
            let why = format!(
                "has the client_id {}, which cannot be changed; delete it, or declare that one",
                row.id
            );
            return Err(at.locate(Error::invalid(format!("application {name}"), why)));
        }
        if !kept.insert(row.id.clone()) {
            let why = "is declared twice, by its client_id and by its name";
            return Err(at.locate(Error::invalid(format!("application {}", row.name), why)));
        }
        let details = application_difference(row, access, &draft);
        if !details.is_empty() {
            let present = Some(Box::new(row.clone()));
            changes.push(change(
                Action::Alter,
                Kind::App,
                &name,
                details,
                Target::App { draft: Box::new(draft), present },
            ));
        }
    }
    if prune && declared.applications.is_some() {
        for (row, _) in present.applications.iter().filter(|(row, _)| !kept.contains(&row.id)) {
            removals.push(change(
                Action::Remove,
                Kind::App,
                &row.name,
                Vec::new(),
                Target::NoApp { id: row.id.clone() },
            ));
        }
    }
    Ok(())
}

fn plan_users(
    declared: &Declared,
    present: &Present,
    role_names: &BTreeSet<String>,
    changes: &mut Vec<Change>,
) -> Result<(), Error> {
    let mut seen = BTreeSet::new();
    for at in declared.users.iter().flatten() {
        let email = Email::parse(&at.value.email).map_err(|error| at.locate(error.into()))?;
        once(at, Kind::User, email.canonical(), &mut seen)?;
        if let Some(unknown) = at.value.roles.iter().flatten().find(|role| !role_names.contains(*role)) {
            let known = role_names.iter().cloned().collect();
            return Err(at.locate(Error::Unknown { kind: "role", name: unknown.clone(), known }));
        }
        match present.users.iter().find(|(user, _)| user.email_canonical == email.canonical()) {
            None => {
                let name = email.to_string();
                let target = Target::NewUser { email, declared: at.clone() };
                changes.push(change(Action::Add, Kind::User, &name, Vec::new(), target));
            }
            Some((user, held)) => {
                let (details, columns, roles) = user_difference(user, held, &at.value);
                if !details.is_empty() {
                    let target = Target::User { id: user.id.clone(), change: columns, roles };
                    changes.push(change(Action::Alter, Kind::User, &user.email, details, target));
                }
            }
        }
    }
    Ok(())
}

impl DeclaredUser {
    /// A user with nothing but an address and a password.
    #[must_use]
    pub fn new(email: impl Into<String>, password: Option<Password>) -> Self {
        Self { email: email.into(), password, roles: None, verified: None, blocked: None }
    }
}
