//! Sessions: one login of one user. Ended sessions stay until their time is over, so that a token is known as dead.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, Condition, DatabaseTransaction, IntoActiveModel};

use crate::changes::{self, kind};
use crate::{Fault, NewRefreshToken, Store, refresh_tokens, users};

/// A session.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// The `sid` of its tokens.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    /// Whose it is.
    pub user_id: String,
    /// The client that asked, or `session`.
    pub client_id: String,
    /// The audience of its tokens.
    pub audience: String,
    /// Scopes, separated by spaces.
    pub scope: String,
    /// Unix seconds.
    pub created_at: i64,
    /// The absolute end, Unix seconds.
    pub expires_at: i64,
    /// When it was ended early, Unix seconds.
    pub ended_at: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

impl Store {
    /// Begins a session with its first refresh token. False, and nothing written, when the user is gone or blocked.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for an id or digest that is taken.
    pub async fn create_session(&self, session: &Model, refresh: &NewRefreshToken) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            begin(transaction, session, refresh, None).await
        })
        .await
    }

    /// As [`Store::create_session`], and only while the user's hash is the one that was just verified: a login with the
    /// old password cannot overtake a change of password.
    ///
    /// # Errors
    /// Those of [`Store::create_session`].
    pub async fn create_session_for_password(
        &self,
        session: &Model,
        refresh: &NewRefreshToken,
        verified_hash: &str,
    ) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            begin(transaction, session, refresh, Some(verified_hash)).await
        })
        .await
    }

    /// The session with this id.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn session(&self, id: &str) -> Result<Option<Model>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            Ok(Entity::find_by_id(id).one(database).await?)
        })
        .await
    }

    /// Ends a session and with it its refresh tokens; false when it is unknown or ended already.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_session(&self, id: &str, now: i64) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let one = Condition::all().add(Column::Id.eq(id));
            Ok(end_where(transaction, one, now).await? == 1)
        })
        .await
    }
}

async fn begin(
    transaction: &DatabaseTransaction,
    session: &Model,
    refresh: &NewRefreshToken,
    verified_hash: Option<&str>,
) -> Result<bool, Fault> {
    // Held until the end: whoever changes the password or blocks the user comes before or after, not in between.
    let Some(user) = users::locked(transaction, &session.user_id).await? else {
        return Ok(false);
    };
    if user.blocked || verified_hash.is_some_and(|hash| user.password_hash.as_deref() != Some(hash)) {
        return Ok(false);
    }
    Entity::insert(session.clone().into_active_model()).exec_without_returning(transaction).await?;
    refresh_tokens::insert(transaction, &session.id, refresh, session.created_at).await?;
    Ok(true)
}

/// Ends every session of a user, dates `not_before`, tells the nodes.
pub(crate) async fn end_all(
    transaction: &DatabaseTransaction,
    user_id: &str,
    now: i64,
) -> Result<u64, Fault> {
    let ended = end_where(transaction, Condition::all().add(Column::UserId.eq(user_id)), now).await?;
    let row = users::ActiveModel { not_before: Set(now), updated_at: Set(now), ..Default::default() };
    users::alter(transaction, user_id, row).await?;
    changes::revoke(transaction, kind::SUBJECT, user_id, now).await?;
    Ok(ended)
}

/// Ends every session that a client began.
pub(crate) async fn end_all_of_client(
    transaction: &DatabaseTransaction,
    client_id: &str,
    now: i64,
) -> Result<u64, Fault> {
    end_where(transaction, Condition::all().add(Column::ClientId.eq(client_id)), now).await
}

async fn end_where(transaction: &DatabaseTransaction, which: Condition, now: i64) -> Result<u64, Fault> {
    let ended = Entity::update_many()
        .col_expr(Column::EndedAt, Expr::value(now))
        .filter(which)
        .filter(Column::EndedAt.is_null())
        .exec_with_returning(transaction)
        .await?;
    let ids: Vec<String> = ended.into_iter().map(|session| session.id).collect();
    changes::revoke_many(transaction, kind::SESSION, &ids, now).await?;
    Ok(ids.len() as u64)
}
