//! `portcullis role`: what users may do.

use super::{CommandError, Environment, administered, show, show_list};
use crate::clock::now;
use crate::command_line::Role;
use admin::roles::{self, NewRole, Permission, RoleChange};

/// Does what was asked, straight on the store.
pub async fn run(role: Role, environment: &Environment) -> Result<(), CommandError> {
    match role {
        Role::Create { name, permissions, default, place } => {
            let role =
                NewRole { name, description: String::new(), default, permissions: parse(&permissions)? };
            let (_, store) = administered(&place, environment).await?;
            show(&place, &roles::create(&store, &role, now()).await?)
        }
        Role::List(place) => {
            let (_, store) = administered(&place, environment).await?;
            show_list(&place, &roles::list(&store).await?, &["name", "default", "permissions"])
        }
        Role::Show { name, place } => {
            let (_, store) = administered(&place, environment).await?;
            show(&place, &roles::show(&store, &name).await?)
        }
        Role::Update { name, add, remove, default, place } => {
            let change =
                RoleChange { add: parse(&add)?, remove: parse(&remove)?, default, ..RoleChange::default() };
            let (_, store) = administered(&place, environment).await?;
            show(&place, &roles::update(&store, &name, &change, now()).await?)
        }
        Role::Delete { name, place } => {
            let (_, store) = administered(&place, environment).await?;
            Ok(roles::delete(&store, &name, now()).await?)
        }
    }
}

fn parse(permissions: &[String]) -> Result<Vec<Permission>, CommandError> {
    Ok(permissions.iter().map(|text| Permission::parse(text)).collect::<Result<_, _>>()?)
}
