//! `portcullis user`: people who log in.

use super::{CommandError, Environment, administered, read_secret, show, show_list};
use crate::clock::{fresh, now};
use crate::command_line::User;
use crate::config::Configuration;
use crate::wiring::identity::password_rules;
use accounts::password::{Memory, Policy};
use admin::users::{self, Fresh, NewUser, Passwords, UserChange};

/// The rules for passwords of one installation, and the memory to hash with.
pub struct PasswordRules {
    policy: Policy,
    service_name: String,
    memory: Memory,
}

impl PasswordRules {
    /// Those of a configuration.
    pub fn of(configuration: &Configuration) -> Self {
        let (policy, service_name) = password_rules(configuration);
        PasswordRules { policy, service_name, memory: Memory::new() }
    }

    /// As administration takes them.
    pub fn passwords(&mut self) -> Passwords<'_> {
        Passwords { policy: &self.policy, service_name: &self.service_name, memory: &mut self.memory }
    }
}

/// Does what was asked, straight on the store.
pub async fn run(user: User, environment: &Environment) -> Result<(), CommandError> {
    match user {
        User::Create { email, password_file, roles, verified, place } => {
            let new = NewUser {
                email,
                password: password_file.as_deref().map(read_secret).transpose()?,
                roles: (!roles.is_empty()).then_some(roles),
                verified,
            };
            let (installation, store) = administered(&place, environment).await?;
            let mut rules = PasswordRules::of(&installation.configuration);
            let random = Fresh {
                id: fresh().map_err(CommandError::failed)?,
                salt: fresh().map_err(CommandError::failed)?,
            };
            show(&place, &users::create(&store, &new, &mut rules.passwords(), now(), random).await?)
        }
        User::List(place) => {
            let (_, store) = administered(&place, environment).await?;
            show_list(&place, &users::list(&store).await?, &["id", "email", "verified", "blocked", "roles"])
        }
        User::Show { user, place } => {
            let (_, store) = administered(&place, environment).await?;
            show(&place, &users::show(&store, &user).await?)
        }
        User::Update { user, roles, no_roles, blocked, password_file, place } => {
            let password = password_file.as_deref().map(read_secret).transpose()?;
            let (installation, store) = administered(&place, environment).await?;
            let change = UserChange {
                blocked,
                roles: if no_roles { Some(Vec::new()) } else { (!roles.is_empty()).then_some(roles) },
                ..UserChange::default()
            };
            let mut rules = PasswordRules::of(&installation.configuration);
            // Before anything is written: half a change would be one that nobody asked for.
            if let Some(password) = &password {
                users::check_password(&store, &user, password, &rules.passwords()).await?;
            }
            let mut changed = users::update(&store, &user, &change, now()).await?;
            if let Some(password) = password {
                let salt = fresh().map_err(CommandError::failed)?;
                changed = users::set_password(&store, &user, &password, &mut rules.passwords(), now(), salt)
                    .await?;
            }
            show(&place, &changed)
        }
        User::Delete { user, place } => {
            let (_, store) = administered(&place, environment).await?;
            Ok(users::delete(&store, &user, now()).await?)
        }
    }
}
