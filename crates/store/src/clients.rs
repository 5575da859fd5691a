//! Applications (OAuth clients) and what each may ask for.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ConnectionTrait};

use crate::changes::{self, kind};
use crate::{Fault, Store, api_keys, apis, lists, sessions};

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "clients")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub name: String,
    pub kind: String,
    pub secret_digest: Option<Vec<u8>>,
    pub auth_method: String,
    pub grants: String,
    pub callbacks: String,
    pub logout_urls: String,
    pub web_origins: String,
    pub disabled: bool,
    pub created_at: i64,
}

crate::redacted::redacted!(Model as "Client": id, name, kind, disabled);

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Which scopes of which API a client may ask for.
pub(crate) mod grant {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "client_grants")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub client_id: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub audience: String,
        pub scopes: String,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// A client as stored. The words in `kind`, `auth_method` and `grants` are the court's.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientRow {
    /// The client id.
    pub id: String,
    /// For people; unique.
    pub name: String,
    /// `spa`, `native`, `regular_web` or `non_interactive`.
    pub kind: String,
    /// SHA-256 of the secret; none for a public client.
    pub secret_digest: Option<Vec<u8>>,
    /// `none`, `client_secret_post` or `client_secret_basic`.
    pub auth_method: String,
    /// Grant types.
    pub grants: Vec<String>,
    /// Redirect URIs.
    pub callbacks: Vec<String>,
    /// Where logout may lead.
    pub logout_urls: Vec<String>,
    /// Origins of its pages.
    pub web_origins: Vec<String>,
    /// A disabled client gets no token.
    pub disabled: bool,
    /// Unix seconds.
    pub created_at: i64,
}

crate::redacted::redacted!(ClientRow as "ClientRow": id, name, kind, disabled);

/// What a client may ask for at an API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientGrant {
    /// The API's identifier.
    pub audience: String,
    /// Scopes, as given.
    pub scopes: Vec<String>,
}

impl Store {
    /// Makes the client, or makes it look like this row: its `created_at` stays, and so does its secret unless the row
    /// has one: a change that read the row before a rotation cannot bring the dead secret back. A client with the method
    /// `none` has none. A client that becomes disabled loses its sessions and tokens.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for a name that is taken, or an API that does not exist.
    pub async fn upsert_client(
        &self,
        client: &ClientRow,
        grants: &[ClientGrant],
        now: i64,
    ) -> Result<(), Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let namesake = Entity::find()
                .filter(Column::Name.eq(&client.name))
                .filter(Column::Id.ne(&client.id))
                .one(transaction)
                .await?;
            if namesake.is_some() {
                return Err(Fault::Conflict(format!(
                    "the name {} belongs to another application: choose another",
                    client.name
                )));
            }
            let was_enabled =
                Entity::find_by_id(&client.id).one(transaction).await?.is_some_and(|row| !row.disabled);
            let mut alter = OnConflict::column(Column::Id);
            alter.update_columns(ALTERABLE);
            if client.secret_digest.is_some() || client.auth_method == "none" {
                alter.update_column(Column::SecretDigest);
            }
            Entity::insert(row(client)?).on_conflict(alter).exec_without_returning(transaction).await?;
            grant::Entity::delete_many()
                .filter(grant::Column::ClientId.eq(&client.id))
                .exec(transaction)
                .await?;
            let audiences: Vec<&str> = grants.iter().map(|grant| grant.audience.as_str()).collect();
            apis::must_exist(transaction, &audiences).await?;
            for given in grants {
                let row = grant::ActiveModel {
                    client_id: Set(client.id.clone()),
                    audience: Set(given.audience.clone()),
                    scopes: Set(lists::encode(&given.scopes)?),
                };
                grant::Entity::insert(row).exec_without_returning(transaction).await?;
            }
            if client.disabled && was_enabled {
                sessions::end_all_of_client(transaction, &client.id, now).await?;
                return changes::revoke(transaction, kind::CLIENT, &client.id, now).await;
            }
            changes::record(transaction, kind::CLIENT, &client.id, now).await
        })
        .await
    }

    /// The client with this id, and its grants by audience.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn client(&self, id: &str) -> Result<Option<(ClientRow, Vec<ClientGrant>)>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let rows = Entity::find_by_id(id).all(database).await?;
            Ok(with_grants(database, rows).await?.pop())
        })
        .await
    }

    /// The client with this name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn client_by_name(&self, name: &str) -> Result<Option<(ClientRow, Vec<ClientGrant>)>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let rows = Entity::find().filter(Column::Name.eq(name)).all(database).await?;
            Ok(with_grants(database, rows).await?.pop())
        })
        .await
    }

    /// Every client, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clients(&self) -> Result<Vec<(ClientRow, Vec<ClientGrant>)>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let rows = Entity::find().all(database).await?;
            with_grants(database, rows).await
        })
        .await
    }

    /// Deletes the client, ends the sessions that it began and revokes API keys that stand for it; false when there is
    /// none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_client(&self, id: &str, now: i64) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let deleted = Entity::delete_by_id(id).exec(transaction).await?.rows_affected == 1;
            if deleted {
                sessions::end_all_of_client(transaction, id, now).await?;
                api_keys::revoke_all_of_client(transaction, id, now).await?;
                changes::revoke(transaction, kind::CLIENT, id, now).await?;
            }
            Ok(deleted)
        })
        .await
    }

    /// A new secret; the old one is dead. False when there is no such client.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_client_secret(&self, id: &str, digest: &[u8], now: i64) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let updated = Entity::update_many()
                .col_expr(Column::SecretDigest, Expr::value(digest))
                .filter(Column::Id.eq(id))
                .exec(transaction)
                .await?;
            if updated.rows_affected == 1 {
                changes::record(transaction, kind::CLIENT, id, now).await?;
            }
            Ok(updated.rows_affected == 1)
        })
        .await
    }
}

/// Everything but the id, `created_at` and the secret.
const ALTERABLE: [Column; 8] = [
    Column::Name,
    Column::Kind,
    Column::AuthMethod,
    Column::Grants,
    Column::Callbacks,
    Column::LogoutUrls,
    Column::WebOrigins,
    Column::Disabled,
];

fn row(client: &ClientRow) -> Result<ActiveModel, Fault> {
    Ok(ActiveModel {
        id: Set(client.id.clone()),
        name: Set(client.name.clone()),
        kind: Set(client.kind.clone()),
        secret_digest: Set(client.secret_digest.clone()),
        auth_method: Set(client.auth_method.clone()),
        grants: Set(lists::encode(&client.grants)?),
        callbacks: Set(lists::encode(&client.callbacks)?),
        logout_urls: Set(lists::encode(&client.logout_urls)?),
        web_origins: Set(lists::encode(&client.web_origins)?),
        disabled: Set(client.disabled),
        created_at: Set(client.created_at),
    })
}

impl TryFrom<Model> for ClientRow {
    type Error = Fault;

    fn try_from(row: Model) -> Result<Self, Fault> {
        Ok(Self {
            id: row.id,
            name: row.name,
            kind: row.kind,
            secret_digest: row.secret_digest,
            auth_method: row.auth_method,
            grants: lists::decode(&row.grants, "clients.grants")?,
            callbacks: lists::decode(&row.callbacks, "clients.callbacks")?,
            logout_urls: lists::decode(&row.logout_urls, "clients.logout_urls")?,
            web_origins: lists::decode(&row.web_origins, "clients.web_origins")?,
            disabled: row.disabled,
            created_at: row.created_at,
        })
    }
}

async fn with_grants(
    database: &impl ConnectionTrait,
    rows: Vec<Model>,
) -> Result<Vec<(ClientRow, Vec<ClientGrant>)>, Fault> {
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let ids: Vec<&str> = rows.iter().map(|client| client.id.as_str()).collect();
    let stored = grant::Entity::find().filter(grant::Column::ClientId.is_in(ids)).all(database).await?;
    let mut clients = Vec::with_capacity(rows.len());
    for row in rows {
        let mut own = stored
            .iter()
            .filter(|grant| grant.client_id == row.id)
            .map(|grant| {
                Ok(ClientGrant {
                    audience: grant.audience.clone(),
                    scopes: lists::decode(&grant.scopes, "client_grants.scopes")?,
                })
            })
            .collect::<Result<Vec<_>, Fault>>()?;
        own.sort_by(|one, other| one.audience.cmp(&other.audience));
        clients.push((ClientRow::try_from(row)?, own));
    }
    clients.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    Ok(clients)
}
