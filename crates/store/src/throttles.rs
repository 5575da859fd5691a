//! Counters per bucket and window: atomic over nodes, and they survive restarts.

use std::sync::Arc;

use sea_orm::ConnectionTrait;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, OnConflict, Query};

use crate::transaction::Transaction;
use crate::{Fault, Store};

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "throttles")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub bucket: String,
    pub window_start: i64,
    pub expires_at: i64,
    pub taken: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// What a take found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Whether this one was within the limit.
    pub allowed: bool,
    /// Takes in the window, this one included when it was allowed.
    pub count: u32,
    /// When the window began, Unix seconds.
    pub window_start: i64,
}

impl Store {
    /// Takes one from the bucket in one statement: never more than `limit` in a window of `window_seconds`, which
    /// begins with its first take.
    ///
    /// # Errors
    /// When the database fails: then the caller refuses.
    pub async fn take_throttle(
        &self,
        key: &str,
        limit: u32,
        window_seconds: i64,
        now: i64,
    ) -> Result<Taken, Fault> {
        self.statement(
            move |database| async move { Self::take(&database, key, limit, window_seconds, now).await },
        )
        .await
    }

    /// Takes one from each bucket (key, limit, window in seconds) in order and in one transaction, up to the first that is
    /// empty: what was taken before it stays taken. The last answer says whether all allowed it.
    ///
    /// # Errors
    /// When the database fails: then the caller refuses.
    pub async fn take_throttles(&self, buckets: &[(&str, u32, i64)], now: i64) -> Result<Vec<Taken>, Fault> {
        let buckets: Arc<[(String, u32, i64)]> =
            buckets.iter().map(|(key, limit, window)| ((*key).to_owned(), *limit, *window)).collect();
        self.write(move |transaction: Transaction| {
            let buckets = Arc::clone(&buckets);
            async move {
                let mut all = Vec::with_capacity(buckets.len());
                for (key, limit, window) in buckets.iter() {
                    let taken = Self::take(&*transaction, key, *limit, *window, now).await?;
                    all.push(taken);
                    if !taken.allowed {
                        break;
                    }
                }
                Ok(all)
            }
        })
        .await
    }

    /// After a success: empties some buckets and gives one back to others, in one transaction.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn settle_throttles(&self, clear: &[&str], give_back: &[&str]) -> Result<(), Fault> {
        let owned = |keys: &[&str]| keys.iter().map(|key| (*key).to_owned()).collect::<Arc<[String]>>();
        let (clear, give_back) = (owned(clear), owned(give_back));
        self.write(move |transaction: Transaction| {
            let (clear, give_back) = (Arc::clone(&clear), Arc::clone(&give_back));
            async move {
                for key in clear.iter() {
                    Entity::delete_by_id(key).exec(&*transaction).await?;
                }
                for key in give_back.iter() {
                    give_back_one(&*transaction, key).await?;
                }
                Ok(())
            }
        })
        .await
    }

    async fn take(
        connection: &impl ConnectionTrait,
        key: &str,
        limit: u32,
        window_seconds: i64,
        now: i64,
    ) -> Result<Taken, Fault> {
        if limit == 0 {
            return Ok(Taken { allowed: false, count: 0, window_start: now });
        }
        let stored = |column: Column| Expr::col((Entity, column));
        // A window that begins further ahead than it is long comes from a clock that was wrong.
        let over = stored(Column::ExpiresAt)
            .lte(now)
            .or(stored(Column::WindowStart).gt(now.saturating_add(window_seconds)));
        let anew = |fresh: i64, going_on: Expr| -> Expr {
            CaseStatement::new().case(over.clone(), Expr::value(fresh)).finally(going_on).into()
        };
        let ends = now.saturating_add(window_seconds);
        let mut take = Query::insert();
        take.into_table(Entity)
            .columns([Column::Bucket, Column::WindowStart, Column::ExpiresAt, Column::Taken])
            .values_panic([Expr::value(key), Expr::value(now), Expr::value(ends), Expr::value(1_i64)])
            .on_conflict(
                OnConflict::column(Column::Bucket)
                    .value(Column::Taken, anew(1, stored(Column::Taken).add(1_i64)))
                    .value(Column::WindowStart, anew(now, stored(Column::WindowStart)))
                    .value(Column::ExpiresAt, anew(ends, stored(Column::ExpiresAt)))
                    .action_and_where(over.clone().or(stored(Column::Taken).lt(i64::from(limit))))
                    .to_owned(),
            )
            .returning(Query::returning().columns([Column::Taken, Column::WindowStart]));

        if let Some(row) = connection.query_one(&take).await? {
            return Ok(Taken {
                allowed: true,
                count: count(row.try_get("", "taken")?),
                window_start: row.try_get("", "window_start")?,
            });
        }
        let row = Entity::find_by_id(key).one(connection).await?;
        // Cleared in between: the caller is told no, and the next one starts anew.
        Ok(row.map_or(Taken { allowed: false, count: limit, window_start: now }, |row| Taken {
            allowed: false,
            count: count(row.taken),
            window_start: row.window_start,
        }))
    }

    /// Empties the bucket, after a success.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn clear_throttle(&self, key: &str) -> Result<(), Fault> {
        self.statement(move |database| async move {
            Entity::delete_by_id(key).exec(&database).await?;
            Ok(())
        })
        .await
    }

    /// Gives one back to the bucket: an attempt that succeeded must not count against others from the same address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_back_throttle(&self, key: &str) -> Result<(), Fault> {
        self.statement(move |database| async move { give_back_one(&database, key).await }).await
    }
}

async fn give_back_one(connection: &impl ConnectionTrait, key: &str) -> Result<(), Fault> {
    Entity::update_many()
        .col_expr(Column::Taken, Expr::col(Column::Taken).sub(1_i64))
        .filter(Column::Bucket.eq(key))
        .filter(Column::Taken.gt(0_i64))
        .exec(connection)
        .await?;
    Ok(())
}

fn count(taken: i64) -> u32 {
    u32::try_from(taken).unwrap_or(u32::MAX)
}
