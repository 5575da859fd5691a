//! Who may look at the console: one-time links and the sessions that they begin, by digest.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveValue::Set, IntoActiveModel};

use crate::{Fault, Store};

/// A session of the console, one browser's.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "console_sessions")]
pub struct Model {
    /// SHA-256 of the cookie's value.
    #[sea_orm(primary_key, auto_increment = false)]
    pub digest: Vec<u8>,
    /// Whose it is; nobody's by name, when a link began it.
    pub user_id: Option<String>,
    /// Unix seconds.
    pub created_at: i64,
    /// The absolute end, Unix seconds.
    pub expires_at: i64,
    /// When it was used last, Unix seconds.
    pub seen_at: i64,
}

crate::redacted::redacted!(Model as "ConsoleSession": user_id, created_at, expires_at, seen_at);

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

pub(crate) mod link {
    use sea_orm::entity::prelude::*;

    /// A one-time link.
    #[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "console_links")]
    pub struct Model {
        /// SHA-256 of the token.
        #[sea_orm(primary_key, auto_increment = false)]
        pub digest: Vec<u8>,
        /// Unix seconds.
        pub created_at: i64,
        /// Unix seconds.
        pub expires_at: i64,
        /// When it was spent, Unix seconds.
        pub used_at: Option<i64>,
    }

    crate::redacted::redacted!(Model as "ConsoleLink": created_at, expires_at, used_at);

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub use link::Model as ConsoleLink;

impl Store {
    /// Keeps a link that opens the console once.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for a digest that is taken.
    pub async fn insert_console_link(&self, digest: &[u8], now: i64, expires_at: i64) -> Result<(), Fault> {
        self.write(move |transaction| async move {
            let row = link::ActiveModel {
                digest: Set(digest.to_vec()),
                created_at: Set(now),
                expires_at: Set(expires_at),
                used_at: Set(None),
            };
            link::Entity::insert(row).exec_without_returning(&*transaction).await?;
            Ok(())
        })
        .await
    }

    /// A look at a link, which spends nothing.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn console_link(&self, digest: &[u8]) -> Result<Option<ConsoleLink>, Fault> {
        self.read(move |database| async move {
            Ok(link::Entity::find_by_id(digest.to_vec()).one(&database).await?)
        })
        .await
    }

    /// Spends a link and begins the session in one transaction. False, and nothing written, when the link is unknown, spent
    /// or over.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for a session's digest that is taken.
    pub async fn spend_console_link(&self, digest: &[u8], session: &Model) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let now = session.created_at;
            let spent = link::Entity::update_many()
                .col_expr(link::Column::UsedAt, Expr::value(now))
                .filter(link::Column::Digest.eq(digest))
                .filter(link::Column::UsedAt.is_null())
                .filter(link::Column::ExpiresAt.gt(now))
                .exec(transaction)
                .await?;
            if spent.rows_affected != 1 {
                return Ok(false);
            }
            Entity::insert(session.clone().into_active_model()).exec_without_returning(transaction).await?;
            Ok(true)
        })
        .await
    }

    /// Begins a session without a link, for a user who has logged in.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for a digest that is taken, or a user who is gone.
    pub async fn insert_console_session(&self, session: &Model) -> Result<(), Fault> {
        self.write(move |transaction| async move {
            Entity::insert(session.clone().into_active_model()).exec_without_returning(&*transaction).await?;
            Ok(())
        })
        .await
    }

    /// The session, when it has not ended and was used at `idle_since` or later; this use is written down once in
    /// `remember_every` seconds.
    ///
    /// # Errors
    /// When the database fails: then the caller refuses.
    pub async fn console_session(
        &self,
        digest: &[u8],
        idle_since: i64,
        remember_every: i64,
        now: i64,
    ) -> Result<Option<Model>, Fault> {
        let found = self
            .read(move |database| async move {
                Ok(Entity::find_by_id(digest.to_vec())
                    .filter(Column::ExpiresAt.gt(now))
                    .filter(Column::SeenAt.gte(idle_since))
                    .one(&database)
                    .await?)
            })
            .await?;
        let Some(session) = found else { return Ok(None) };
        if session.seen_at.saturating_add(remember_every) > now {
            return Ok(Some(session));
        }
        // A logout in between leaves no row to renew, and then there is no session.
        let renewed = self
            .statement(move |database| async move {
                Ok(Entity::update_many()
                    .col_expr(Column::SeenAt, Expr::value(now))
                    .filter(Column::Digest.eq(digest))
                    .filter(Column::ExpiresAt.gt(now))
                    .filter(Column::SeenAt.gte(idle_since))
                    .exec(&database)
                    .await?
                    .rows_affected)
            })
            .await?;
        Ok((renewed == 1).then_some(Model { seen_at: now, ..session }))
    }

    /// Ends a session; false when there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end_console_session(&self, digest: &[u8]) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            Ok(Entity::delete_by_id(digest.to_vec()).exec(&*transaction).await?.rows_affected == 1)
        })
        .await
    }
}
