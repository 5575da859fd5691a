//! Refresh tokens, by digest. All tokens of a session are one family; each is redeemed once (RFC 9700 section 4.14.2).

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ActiveValue::Set, DatabaseTransaction};

use crate::{Fault, Session, Store, sessions};

/// A refresh token as stored.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_tokens")]
pub struct Model {
    /// SHA-256 of the token.
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: Vec<u8>,
    /// The family.
    pub session_id: String,
    /// Unix seconds.
    pub issued_at: i64,
    /// Unix seconds.
    pub expires_at: i64,
    /// When it was exchanged, Unix seconds.
    pub redeemed_at: Option<i64>,
}

crate::redacted::redacted!(Model as "RefreshToken": session_id, redeemed_at);

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A refresh token to insert.
#[derive(Clone, PartialEq, Eq)]
pub struct NewRefreshToken {
    /// SHA-256 of the token.
    pub digest: Vec<u8>,
    /// Its end when it is not used, Unix seconds.
    pub expires_at: i64,
}

crate::redacted::redacted!(NewRefreshToken as "NewRefreshToken": expires_at);

/// The outcome of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// The old token is spent, the new one is stored.
    Rotated,
    /// The token was spent before: somebody else has it. End the family with [`Store::end_session`].
    AlreadyRedeemed,
    /// Unknown, expired, or its session is over. Nothing changed.
    NotRedeemable,
}

impl Store {
    /// The token with this digest and its session.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn refresh_token(&self, digest: &[u8]) -> Result<Option<(Model, Session)>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let Some(token) = Entity::find_by_id(digest.to_vec()).one(database).await? else {
                return Ok(None);
            };
            let session = sessions::Entity::find_by_id(&token.session_id).one(database).await?;
            Ok(session.map(|session| (token, session)))
        })
        .await
    }

    /// Spends the old token and stores the new one in one conditional write: of any number of contenders one wins.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for a new digest that is taken.
    pub async fn rotate_refresh_token(
        &self,
        old_digest: &[u8],
        new: &NewRefreshToken,
        now: i64,
    ) -> Result<Rotation, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let living_sessions = Query::select()
                .column(sessions::Column::Id)
                .from(sessions::Entity)
                .and_where(sessions::Column::EndedAt.is_null())
                .and_where(sessions::Column::ExpiresAt.gt(now))
                .to_owned();
            let spent = Entity::update_many()
                .col_expr(Column::RedeemedAt, Expr::value(now))
                .filter(Column::Digest.eq(old_digest))
                .filter(Column::RedeemedAt.is_null())
                .filter(Column::ExpiresAt.gt(now))
                .filter(Column::SessionId.in_subquery(living_sessions))
                .exec_with_returning(transaction)
                .await?;
            if let Some(token) = spent.first() {
                insert(transaction, &token.session_id, new, now).await?;
                return Ok(Rotation::Rotated);
            }
            let spent_before = Entity::find_by_id(old_digest.to_vec())
                .filter(Column::RedeemedAt.is_not_null())
                .one(transaction)
                .await?;
            Ok(if spent_before.is_some() { Rotation::AlreadyRedeemed } else { Rotation::NotRedeemable })
        })
        .await
    }
}

pub(crate) async fn insert(
    transaction: &DatabaseTransaction,
    session_id: &str,
    new: &NewRefreshToken,
    now: i64,
) -> Result<(), Fault> {
    let row = ActiveModel {
        digest: Set(new.digest.clone()),
        session_id: Set(session_id.to_owned()),
        issued_at: Set(now),
        expires_at: Set(new.expires_at),
        redeemed_at: Set(None),
    };
    Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}
