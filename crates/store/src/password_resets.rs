//! Reset links, by digest: single use, one alive per user.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, DatabaseTransaction};

use crate::{Fault, NewMail, Store, outbox, users};

/// A reset link as stored.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "password_resets")]
pub struct Model {
    /// SHA-256 of the token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: Vec<u8>,
    /// Whose password it resets.
    pub user_id: String,
    /// Unix seconds.
    pub created_at: i64,
    /// Unix seconds.
    pub expires_at: i64,
    /// Unix seconds.
    pub redeemed_at: Option<i64>,
}

crate::redacted::redacted!(Model as "PasswordReset": user_id, expires_at, redeemed_at);

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// The outcome of a redemption.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redemption {
    /// The password is set and every session is over.
    Redeemed {
        /// Whose it was.
        user_id: String,
    },
    /// Unknown, spent, expired, or replaced by a newer link. Nothing changed.
    NotRedeemable,
}

impl Store {
    /// Stores a reset link and the mail that carries it, both or neither; earlier links of the user die.
    ///
    /// # Errors
    /// [`Fault::Conflict`] when there is no such user, or a mail of that id.
    pub async fn insert_password_reset_with_mail(
        &self,
        digest: &[u8],
        user_id: &str,
        expires_at: i64,
        mail: &NewMail,
        now: i64,
    ) -> Result<(), Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            replace(transaction, digest, user_id, expires_at, now).await?;
            outbox::insert(transaction, &mail.id, &mail.sealed, now).await
        })
        .await
    }

    /// The reset link with this digest. A look: it spends nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn password_reset(&self, digest: &[u8]) -> Result<Option<Model>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            Ok(Entity::find_by_id(digest.to_vec()).one(database).await?)
        })
        .await
    }

    /// Spends the link, sets the password, ends every session: one transaction, one winner.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn redeem_password_reset(
        &self,
        digest: &[u8],
        new_password_hash: &str,
        now: i64,
    ) -> Result<Redemption, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let spent = Entity::update_many()
                .col_expr(Column::RedeemedAt, Expr::value(now))
                .filter(Column::Digest.eq(digest))
                .filter(Column::RedeemedAt.is_null())
                .filter(Column::ExpiresAt.gt(now))
                .exec_with_returning(transaction)
                .await?;
            let Some(reset) = spent.into_iter().next() else {
                return Ok(Redemption::NotRedeemable);
            };
            if !users::set_password(transaction, &reset.user_id, new_password_hash, now).await? {
                return Ok(Redemption::NotRedeemable);
            }
            Ok(Redemption::Redeemed { user_id: reset.user_id })
        })
        .await
    }
}

async fn replace(
    transaction: &DatabaseTransaction,
    digest: &[u8],
    user_id: &str,
    expires_at: i64,
    now: i64,
) -> Result<(), Fault> {
    // Two requests at once would each miss the other's row and leave two links alive; the user's row serialises them.
    if users::locked(transaction, user_id).await?.is_none() {
        return Err(Fault::Conflict("a reset link needs a user that exists".to_owned()));
    }
    forget(transaction, user_id).await?;
    let row = ActiveModel {
        digest: Set(digest.to_vec()),
        user_id: Set(user_id.to_owned()),
        created_at: Set(now),
        expires_at: Set(expires_at),
        redeemed_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}

/// Unspent links of the user die; spent ones stay until they expire, so that a second use is known as one.
pub(crate) async fn forget(transaction: &DatabaseTransaction, user_id: &str) -> Result<(), Fault> {
    Entity::delete_many()
        .filter(Column::UserId.eq(user_id))
        .filter(Column::RedeemedAt.is_null())
        .exec(transaction)
        .await?;
    Ok(())
}
