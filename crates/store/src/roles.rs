//! Roles: named sets of permissions, and which user holds which.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{OnConflict, Query};
use sea_orm::{ActiveValue::Set, ConnectionTrait, DatabaseTransaction, QueryOrder, QuerySelect};

use crate::changes::{self, kind};
use crate::{Fault, Store, apis, users};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "roles")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    pub description: String,
    pub is_default: bool,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Which scope of which API a role allows.
pub(crate) mod permission {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "role_permissions")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub role: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub audience: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub scope: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// Which user holds which role.
pub(crate) mod held {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "user_roles")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub user_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub role: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A scope of an API that a role allows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// The API's identifier.
    pub audience: String,
    /// The scope.
    pub scope: String,
}

/// A role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Its name, unique.
    pub name: String,
    /// For people.
    pub description: String,
    /// Whether new users get it.
    pub is_default: bool,
    /// Sorted.
    pub permissions: Vec<Permission>,
}

impl Store {
    /// Makes the role, or makes it look like this. Permissions are (audience, scope).
    ///
    /// # Errors
    /// [`Fault::Conflict`] for an API that does not exist.
    pub async fn upsert_role(
        &self,
        name: &str,
        description: &str,
        is_default: bool,
        permissions: &[(String, String)],
        now: i64,
    ) -> Result<(), Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let row = ActiveModel {
                name: Set(name.to_owned()),
                description: Set(description.to_owned()),
                is_default: Set(is_default),
            };
            Entity::insert(row)
                .on_conflict(
                    OnConflict::column(Column::Name)
                        .update_columns([Column::Description, Column::IsDefault])
                        .to_owned(),
                )
                .exec_without_returning(transaction)
                .await?;
            permission::Entity::delete_many()
                .filter(permission::Column::Role.eq(name))
                .exec(transaction)
                .await?;
            let mut audiences: Vec<&str> =
                permissions.iter().map(|(audience, _)| audience.as_str()).collect();
            audiences.sort_unstable();
            audiences.dedup();
            apis::must_exist(transaction, &audiences).await?;
            let rows = permissions.iter().map(|(audience, scope)| permission::ActiveModel {
                role: Set(name.to_owned()),
                audience: Set(audience.clone()),
                scope: Set(scope.clone()),
            });
            if !permissions.is_empty() {
                permission::Entity::insert_many(rows)
                    .on_conflict(OnConflict::new().do_nothing().to_owned())
                    .exec_without_returning(transaction)
                    .await?;
            }
            changes::record(transaction, kind::ROLE, name, now).await
        })
        .await
    }

    /// The role of this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn role(&self, name: &str) -> Result<Option<Role>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let rows = Entity::find_by_id(name).all(database).await?;
            Ok(with_permissions(database, rows).await?.pop())
        })
        .await
    }

    /// Every role, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn roles(&self) -> Result<Vec<Role>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let rows = Entity::find().all(database).await?;
            with_permissions(database, rows).await
        })
        .await
    }

    /// Deletes the role and takes it from its users; false when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_role(&self, name: &str, now: i64) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let deleted = Entity::delete_by_id(name).exec(transaction).await?.rows_affected == 1;
            if deleted {
                changes::record(transaction, kind::ROLE, name, now).await?;
            }
            Ok(deleted)
        })
        .await
    }

    /// The names of the roles that new users get, sorted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn default_roles(&self) -> Result<Vec<String>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let roles = Entity::find().filter(Column::IsDefault.eq(true)).all(database).await?;
            Ok(sorted(roles.into_iter().map(|role| role.name)))
        })
        .await
    }

    /// The names of the user's roles, sorted.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_roles(&self, id: &str) -> Result<Vec<String>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let held = held::Entity::find().filter(held::Column::UserId.eq(id)).all(database).await?;
            Ok(sorted(held.into_iter().map(|held| held.role)))
        })
        .await
    }

    /// Replaces the user's roles; false when there is no user.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for a role that does not exist.
    pub async fn set_user_roles(&self, id: &str, roles: &[String], now: i64) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            if users::locked(transaction, id).await?.is_none() {
                return Ok(false);
            }
            held::Entity::delete_many().filter(held::Column::UserId.eq(id)).exec(transaction).await?;
            give(transaction, id, roles).await?;
            let touched = users::ActiveModel { updated_at: Set(now), ..Default::default() };
            users::alter(transaction, id, touched).await
        })
        .await
    }

    /// Every scope that the user's roles allow on this API, sorted, each once.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn user_permissions(&self, id: &str, audience: &str) -> Result<Vec<String>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let roles_of_user = Query::select()
                .column(held::Column::Role)
                .from(held::Entity)
                .and_where(held::Column::UserId.eq(id))
                .to_owned();
            let scopes: Vec<String> = permission::Entity::find()
                .select_only()
                .column(permission::Column::Scope)
                .distinct()
                .filter(permission::Column::Audience.eq(audience))
                .filter(permission::Column::Role.in_subquery(roles_of_user))
                .into_tuple()
                .all(database)
                .await?;
            Ok(sorted(scopes))
        })
        .await
    }
}

/// Gives a user roles that all exist, or says which does not.
pub(crate) async fn give(transaction: &DatabaseTransaction, id: &str, roles: &[String]) -> Result<(), Fault> {
    if roles.is_empty() {
        return Ok(());
    }
    let known = Entity::find().filter(Column::Name.is_in(roles)).all(transaction).await?;
    if let Some(unknown) = roles.iter().find(|name| known.iter().all(|role| role.name != **name)) {
        return Err(Fault::Conflict(format!("the role {unknown} does not exist: create it first")));
    }
    let rows =
        roles.iter().map(|role| held::ActiveModel { user_id: Set(id.to_owned()), role: Set(role.clone()) });
    held::Entity::insert_many(rows)
        .on_conflict(OnConflict::new().do_nothing().to_owned())
        .exec_without_returning(transaction)
        .await?;
    Ok(())
}

/// The statements of [`give`] for an id that no user has; they find nothing to write.
pub(crate) async fn give_to_nobody(
    transaction: &DatabaseTransaction,
    id: &str,
    roles: &[String],
) -> Result<(), Fault> {
    if roles.is_empty() {
        return Ok(());
    }
    Entity::find().filter(Column::Name.is_in(roles)).all(transaction).await?;
    held::Entity::delete_many().filter(held::Column::UserId.eq(id)).exec(transaction).await?;
    Ok(())
}

async fn with_permissions(database: &impl ConnectionTrait, rows: Vec<Model>) -> Result<Vec<Role>, Fault> {
    let names: Vec<&str> = rows.iter().map(|role| role.name.as_str()).collect();
    let permissions = permission::Entity::find()
        .filter(permission::Column::Role.is_in(names))
        .order_by_asc(permission::Column::Role)
        .all(database)
        .await?;
    let mut roles: Vec<Role> = rows
        .into_iter()
        .map(|row| {
            let mut own: Vec<Permission> = permissions
                .iter()
                .filter(|permission| permission.role == row.name)
                .map(|permission| Permission {
                    audience: permission.audience.clone(),
                    scope: permission.scope.clone(),
                })
                .collect();
            own.sort();
            Role {
                name: row.name,
                description: row.description,
                is_default: row.is_default,
                permissions: own,
            }
        })
        .collect();
    roles.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(roles)
}

/// In the order of the bytes: a database sorts text by its locale.
fn sorted(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut names: Vec<String> = names.into_iter().collect();
    names.sort();
    names
}
