//! Mail that waits to be sent. Contents are sealed by the caller: a link in it would open an account.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType, Query};
use sea_orm::{ActiveValue::Set, DatabaseTransaction};

use crate::{Fault, Store};

/// How long a claimed mail is left to the node that claimed it, in seconds.
pub const MAIL_LEASE: i64 = 120;

#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub sealed: Vec<u8>,
    pub created_at: i64,
    pub next_attempt_at: i64,
    pub attempts: i64,
    pub last_error: Option<String>,
}

crate::redacted::redacted!(Model as "Mail": id, attempts);

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A mail to enqueue.
#[derive(Clone, PartialEq, Eq)]
pub struct NewMail {
    /// Its id.
    pub id: String,
    /// Encrypted by the caller.
    pub sealed: Vec<u8>,
}

crate::redacted::redacted!(NewMail as "NewMail": id);

/// A mail that this node has claimed.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its id.
    pub id: String,
    /// Encrypted by the caller.
    pub sealed: Vec<u8>,
    /// Attempts so far, this one included.
    pub attempts: i64,
}

crate::redacted::redacted!(Mail as "Mail": id, attempts);

impl Store {
    /// Puts a mail into the outbox.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for an id that is taken.
    pub async fn enqueue_mail(&self, id: &str, sealed: &[u8], now: i64) -> Result<(), Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            insert(transaction, id, sealed, now).await
        })
        .await
    }

    /// Claims mail that is due, oldest first, for [`MAIL_LEASE`] seconds: no other node gets it meanwhile.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn due_mail(&self, now: i64, limit: u64) -> Result<Vec<Mail>, Fault> {
        // Most looks find nothing; they need no write.
        if !self
            .read(move |database| async move {
                let database = &database;
                Ok(Entity::find().filter(due(now)).one(database).await?.is_some())
            })
            .await?
        {
            return Ok(Vec::new());
        }
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let oldest = Query::select()
                .column(Column::Id)
                .from(Entity)
                .and_where(due(now))
                .order_by(Column::CreatedAt, sea_orm::Order::Asc)
                .limit(limit)
                .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
                .to_owned();
            let mut claimed = Entity::update_many()
                .col_expr(Column::NextAttemptAt, Expr::value(now.saturating_add(MAIL_LEASE)))
                .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1_i64))
                .filter(Column::Id.in_subquery(oldest))
                .filter(due(now))
                .exec_with_returning(transaction)
                .await?;
            claimed.sort_by(|one, other| (one.created_at, &one.id).cmp(&(other.created_at, &other.id)));
            Ok(claimed
                .into_iter()
                .map(|row| Mail { id: row.id, sealed: row.sealed, attempts: row.attempts })
                .collect())
        })
        .await
    }

    /// The mail has left: its row goes. False when it was gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_sent(&self, id: &str) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            Ok(Entity::delete_by_id(id).exec(transaction).await?.rows_affected == 1)
        })
        .await
    }

    /// The mail did not leave: when to try again, and why. The reason must not repeat the mail. False when it was gone.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn mail_failed(&self, id: &str, next_attempt_at: i64, error: &str) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let row = ActiveModel {
                next_attempt_at: Set(next_attempt_at),
                last_error: Set(Some(error.to_owned())),
                ..Default::default()
            };
            let updated = Entity::update_many().set(row).filter(Column::Id.eq(id)).exec(transaction).await?;
            Ok(updated.rows_affected == 1)
        })
        .await
    }
}

fn due(now: i64) -> Expr {
    Column::NextAttemptAt.lte(now)
}

pub(crate) async fn insert(
    transaction: &DatabaseTransaction,
    id: &str,
    sealed: &[u8],
    now: i64,
) -> Result<(), Fault> {
    let row = ActiveModel {
        id: Set(id.to_owned()),
        sealed: Set(sealed.to_vec()),
        created_at: Set(now),
        next_attempt_at: Set(now),
        attempts: Set(0),
        last_error: Set(None),
    };
    Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}
