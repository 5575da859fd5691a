//! Legacy API keys, by digest, while clients move to OAuth.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, QueryOrder};

use crate::changes::{self, kind};
use crate::{Fault, Store, lists};

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_keys")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub name: String,
    pub digest: Vec<u8>,
    pub scopes: String,
    pub client_id: Option<String>,
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub last_used_at: Option<i64>,
    pub uses: i64,
}

crate::redacted::redacted!(Model as "ApiKey": id, name, revoked_at);

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// An API key as stored; the key itself is not.
#[derive(Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id, for lists and revocation.
    pub id: String,
    /// For people.
    pub name: String,
    /// SHA-256 of the key; unique.
    pub digest: Vec<u8>,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The client that it stands for.
    pub client_id: Option<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub expires_at: Option<i64>,
    /// Unix seconds.
    pub revoked_at: Option<i64>,
    /// Unix seconds.
    pub last_used_at: Option<i64>,
    /// How often it was used.
    pub uses: i64,
}

crate::redacted::redacted!(ApiKey as "ApiKey": id, name, revoked_at);

/// Uses of a key since the last report.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyUse {
    /// The key's id.
    pub id: String,
    /// The latest, Unix seconds.
    pub last_used_at: i64,
    /// How many.
    pub count: i64,
}

impl TryFrom<Model> for ApiKey {
    type Error = Fault;

    fn try_from(row: Model) -> Result<Self, Fault> {
        Ok(Self {
            id: row.id,
            name: row.name,
            digest: row.digest,
            scopes: lists::decode(&row.scopes, "api_keys.scopes")?,
            client_id: row.client_id,
            created_at: row.created_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
            last_used_at: row.last_used_at,
            uses: row.uses,
        })
    }
}

impl Store {
    /// Stores a key.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for a key (or id) that is there already.
    pub async fn insert_api_key(&self, key: &ApiKey) -> Result<(), Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let row = ActiveModel {
                id: Set(key.id.clone()),
                name: Set(key.name.clone()),
                digest: Set(key.digest.clone()),
                scopes: Set(lists::encode(&key.scopes)?),
                client_id: Set(key.client_id.clone()),
                created_at: Set(key.created_at),
                expires_at: Set(key.expires_at),
                revoked_at: Set(key.revoked_at),
                last_used_at: Set(key.last_used_at),
                uses: Set(key.uses),
            };
            Entity::insert(row).exec_without_returning(transaction).await?;
            changes::record(transaction, kind::API_KEY, &key.id, key.created_at).await
        })
        .await
    }

    /// The key with this digest, revoked and expired ones included.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_key_by_digest(&self, digest: &[u8]) -> Result<Option<ApiKey>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let row = Entity::find().filter(Column::Digest.eq(digest)).one(database).await?;
            row.map(ApiKey::try_from).transpose()
        })
        .await
    }

    /// The key with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_key(&self, id: &str) -> Result<Option<ApiKey>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            Entity::find_by_id(id).one(database).await?.map(ApiKey::try_from).transpose()
        })
        .await
    }

    /// Every key, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let rows = Entity::find().order_by_asc(Column::Id).all(database).await?;
            let mut keys = rows.into_iter().map(ApiKey::try_from).collect::<Result<Vec<_>, _>>()?;
            keys.sort_by(|one, other| one.name.cmp(&other.name));
            Ok(keys)
        })
        .await
    }

    /// Says which client a key stands for; false when there is no such key.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn bind_api_key(&self, id: &str, client_id: &str, now: i64) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let bound = Entity::update_many()
                .col_expr(Column::ClientId, Expr::value(client_id))
                .filter(Column::Id.eq(id))
                .exec(transaction)
                .await?
                .rows_affected
                == 1;
            if bound {
                changes::record(transaction, kind::API_KEY, id, now).await?;
            }
            Ok(bound)
        })
        .await
    }

    /// Ends a key; false when it is unknown or ended already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revoke_api_key(&self, id: &str, now: i64) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            Ok(revoke(transaction, Column::Id.eq(id), now).await? == 1)
        })
        .await
    }

    /// Deletes a key; false when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_api_key(&self, id: &str, now: i64) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let deleted = Entity::delete_by_id(id).exec(transaction).await?.rows_affected == 1;
            if deleted {
                changes::record(transaction, kind::API_KEY, id, now).await?;
            }
            Ok(deleted)
        })
        .await
    }

    /// Adds uses. Keys that are gone are skipped; `last_used_at` never moves back.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_api_key_uses(&self, uses: &[ApiKeyUse]) -> Result<(), Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            for seen in uses {
                let later = CaseStatement::new()
                    .case(Column::LastUsedAt.gt(seen.last_used_at), Expr::col(Column::LastUsedAt))
                    .finally(Expr::value(seen.last_used_at));
                Entity::update_many()
                    .col_expr(Column::Uses, Expr::col(Column::Uses).add(seen.count))
                    .col_expr(Column::LastUsedAt, later.into())
                    .filter(Column::Id.eq(&seen.id))
                    .exec(transaction)
                    .await?;
            }
            Ok(())
        })
        .await
    }
}

/// Ends every key that stands for a client.
pub(crate) async fn revoke_all_of_client(
    transaction: &DatabaseTransaction,
    client_id: &str,
    now: i64,
) -> Result<u64, Fault> {
    revoke(transaction, Column::ClientId.eq(client_id), now).await
}

async fn revoke(transaction: &DatabaseTransaction, which: Expr, now: i64) -> Result<u64, Fault> {
    let revoked = Entity::update_many()
        .col_expr(Column::RevokedAt, Expr::value(now))
        .filter(which)
        .filter(Column::RevokedAt.is_null())
        .exec_with_returning(transaction)
        .await?;
    for key in &revoked {
        changes::record(transaction, kind::API_KEY, &key.id, now).await?;
    }
    Ok(revoked.len() as u64)
}
