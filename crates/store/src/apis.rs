//! APIs (resource servers): an identifier, which is the audience of its tokens, and its scopes.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction};
use serde::{Deserialize, Serialize};

use crate::changes::{self, kind};
use crate::clients::grant;
use crate::roles::permission;
use crate::{Fault, Store, lists};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "apis")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub identifier: String,
    pub name: String,
    pub scopes: String,
    pub signing_alg: String,
    pub token_lifetime: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A scope with its meaning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiScope {
    /// `read:orders`.
    pub value: String,
    /// For people; may be empty.
    pub description: String,
}

/// An API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Api {
    /// A URI: the audience of its tokens.
    pub identifier: String,
    /// For people.
    pub name: String,
    /// In the order given.
    pub scopes: Vec<ApiScope>,
    /// `RS256`, `ES256` or `EdDSA`.
    pub signing_alg: String,
    /// Seconds; none for the configured lifetime.
    pub token_lifetime: Option<i64>,
}

impl TryFrom<Model> for Api {
    type Error = Fault;

    fn try_from(row: Model) -> Result<Self, Fault> {
        Ok(Self {
            identifier: row.identifier,
            name: row.name,
            scopes: lists::decode(&row.scopes, "apis.scopes")?,
            signing_alg: row.signing_alg,
            token_lifetime: row.token_lifetime,
        })
    }
}

impl Store {
    /// Makes the API, or makes it look like this. Scopes that it no longer has are taken from roles and clients.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn upsert_api(&self, api: &Api, now: i64) -> Result<(), Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let row = ActiveModel {
                identifier: Set(api.identifier.clone()),
                name: Set(api.name.clone()),
                scopes: Set(lists::encode(&api.scopes)?),
                signing_alg: Set(api.signing_alg.clone()),
                token_lifetime: Set(api.token_lifetime),
            };
            let columns = [Column::Name, Column::Scopes, Column::SigningAlg, Column::TokenLifetime];
            Entity::insert(row)
                .on_conflict(OnConflict::column(Column::Identifier).update_columns(columns).to_owned())
                .exec_without_returning(transaction)
                .await?;
            take_lost_scopes(transaction, api, now).await?;
            changes::record(transaction, kind::API, &api.identifier, now).await
        })
        .await
    }

    /// The API with this identifier, byte for byte.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api(&self, identifier: &str) -> Result<Option<Api>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            Entity::find_by_id(identifier).one(database).await?.map(Api::try_from).transpose()
        })
        .await
    }

    /// Every API, by identifier.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn apis(&self) -> Result<Vec<Api>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let rows = Entity::find().all(database).await?;
            let mut apis = rows.into_iter().map(Api::try_from).collect::<Result<Vec<_>, _>>()?;
            apis.sort_by(|one, other| one.identifier.cmp(&other.identifier));
            Ok(apis)
        })
        .await
    }

    /// Deletes the API with what roles and clients may do there; false when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_api(&self, identifier: &str, now: i64) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let deleted = Entity::delete_by_id(identifier).exec(transaction).await?.rows_affected == 1;
            if deleted {
                changes::record(transaction, kind::API, identifier, now).await?;
            }
            Ok(deleted)
        })
        .await
    }
}

async fn take_lost_scopes(transaction: &DatabaseTransaction, api: &Api, now: i64) -> Result<(), Fault> {
    let values: Vec<&str> = api.scopes.iter().map(|scope| scope.value.as_str()).collect();
    permission::Entity::delete_many()
        .filter(permission::Column::Audience.eq(&api.identifier))
        .filter(permission::Column::Scope.is_not_in(values.iter().copied()))
        .exec(transaction)
        .await?;
    let grants =
        grant::Entity::find().filter(grant::Column::Audience.eq(&api.identifier)).all(transaction).await?;
    for row in grants {
        let mut scopes: Vec<String> = lists::decode(&row.scopes, "client_grants.scopes")?;
        let before = scopes.len();
        scopes.retain(|scope| values.contains(&scope.as_str()));
        if scopes.len() == before {
            continue;
        }
        let client = row.client_id.clone();
        let mut row: grant::ActiveModel = row.into();
        row.scopes = Set(lists::encode(&scopes)?);
        row.update(transaction).await?;
        changes::record(transaction, kind::CLIENT, &client, now).await?;
    }
    Ok(())
}

/// Says which of these APIs does not exist.
pub(crate) async fn must_exist(transaction: &DatabaseTransaction, audiences: &[&str]) -> Result<(), Fault> {
    if audiences.is_empty() {
        return Ok(());
    }
    let known =
        Entity::find().filter(Column::Identifier.is_in(audiences.iter().copied())).all(transaction).await?;
    match audiences.iter().find(|audience| known.iter().all(|api| api.identifier != **audience)) {
        Some(unknown) => Err(Fault::Conflict(format!("the api {unknown} does not exist: create it first"))),
        None => Ok(()),
    }
}
