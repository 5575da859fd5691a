//! Counters per bucket and window: atomic over nodes, and they survive restarts.

use sea_orm::ConnectionTrait;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, OnConflict, Query};

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

        let connections = self.inner.connections.load_full();
        if let Some(row) = connections.write.query_one(&take).await? {
            return Ok(Taken {
                allowed: true,
                count: count(row.try_get("", "taken")?),
                window_start: row.try_get("", "window_start")?,
            });
        }
        let row = Entity::find_by_id(key).one(&connections.write).await?;
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
        let connections = self.inner.connections.load_full();
        Entity::delete_by_id(key).exec(&connections.write).await?;
        Ok(())
    }

    /// Gives one back to the bucket: an attempt that succeeded must not count against others from the same address.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn give_back_throttle(&self, key: &str) -> Result<(), Fault> {
        let connections = self.inner.connections.load_full();
        Entity::update_many()
            .col_expr(Column::Taken, Expr::col(Column::Taken).sub(1_i64))
            .filter(Column::Bucket.eq(key))
            .filter(Column::Taken.gt(0_i64))
            .exec(&connections.write)
            .await?;
        Ok(())
    }
}

fn count(taken: i64) -> u32 {
    u32::try_from(taken).unwrap_or(u32::MAX)
}
