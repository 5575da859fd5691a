//! Signing keys, private halves sealed by the caller under the key-encryption key.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, DatabaseTransaction, IntoActiveModel, QueryOrder};

use crate::changes::{self, kind};
use crate::transaction::{Lock, exclusively};
use crate::{Fault, Store};

/// A signing key as stored.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "signing_keys")]
pub struct Model {
    /// The key id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kid: String,
    /// `RS256`, …
    pub algorithm: String,
    /// The public half as a JSON Web Key.
    pub public_jwk: String,
    /// The private half, encrypted; the store cannot read it.
    pub private_sealed: Vec<u8>,
    /// Unix seconds.
    pub created_at: i64,
    /// It is published before, and signs from here on. Unix seconds.
    pub signs_from: i64,
    /// When it leaves the key set, Unix seconds.
    pub retires_at: Option<i64>,
}

crate::redacted::redacted!(Model as "SigningKey": kid, algorithm, signs_from);

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Single values that belong to the whole store.
pub(crate) mod setting {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "settings")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        pub value: Vec<u8>,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

const SEAL_CHECK: &str = "seal_check";

impl Store {
    /// Stores a key.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for a `kid` that is taken.
    pub async fn insert_signing_key(&self, key: &Model) -> Result<(), Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            insert(transaction, key).await
        })
        .await
    }

    /// Stores a key only where no key of its algorithm is stored that stays in use, one without `retires_at`: nodes that
    /// start together agree on one. True for the one that was first.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for a `kid` that is taken.
    pub async fn insert_first_signing_key(&self, key: &Model) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            exclusively(transaction, Lock::SigningKeys).await?;
            let staying = Entity::find()
                .filter(Column::Algorithm.eq(&key.algorithm))
                .filter(Column::RetiresAt.is_null());
            if staying.count(transaction).await? > 0 {
                return Ok(false);
            }
            insert(transaction, key).await?;
            Ok(true)
        })
        .await
    }

    /// Every key, oldest first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn signing_keys(&self) -> Result<Vec<Model>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            Ok(Entity::find().order_by_asc(Column::CreatedAt).order_by_asc(Column::Kid).all(database).await?)
        })
        .await
    }

    /// Sets when the key leaves the key set; false when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retire_signing_key(&self, kid: &str, retires_at: i64, now: i64) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let updated = Entity::update_many()
                .col_expr(Column::RetiresAt, Expr::value(retires_at))
                .filter(Column::Kid.eq(kid))
                .exec(transaction)
                .await?;
            if updated.rows_affected == 1 {
                changes::record(transaction, kind::SIGNING_KEY, kid, now).await?;
            }
            Ok(updated.rows_affected == 1)
        })
        .await
    }

    /// Deletes the key; false when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn delete_signing_key(&self, kid: &str, now: i64) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let deleted = Entity::delete_by_id(kid).exec(transaction).await?.rows_affected == 1;
            if deleted {
                changes::record(transaction, kind::SIGNING_KEY, kid, now).await?;
            }
            Ok(deleted)
        })
        .await
    }

    /// The bytes by which a node sees whether its key-encryption key fits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn seal_check(&self) -> Result<Option<Vec<u8>>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            Ok(setting::Entity::find_by_id(SEAL_CHECK).one(database).await?.map(|row| row.value))
        })
        .await
    }

    /// Stores those bytes unless there are some; answers what is stored afterwards: the first writer's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn set_seal_check(&self, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let row = setting::ActiveModel { name: Set(SEAL_CHECK.to_owned()), value: Set(bytes.to_vec()) };
            setting::Entity::insert(row)
                .on_conflict(OnConflict::column(setting::Column::Name).do_nothing().to_owned())
                .exec_without_returning(transaction)
                .await?;
            match setting::Entity::find_by_id(SEAL_CHECK).one(transaction).await? {
                Some(row) => Ok(row.value),
                None => Err(Fault::Unreadable("settings.seal_check is gone".to_owned())),
            }
        })
        .await
    }
}

async fn insert(transaction: &DatabaseTransaction, key: &Model) -> Result<(), Fault> {
    Entity::insert(key.clone().into_active_model()).exec_without_returning(transaction).await?;
    changes::record(transaction, kind::SIGNING_KEY, &key.kid, key.created_at).await
}
