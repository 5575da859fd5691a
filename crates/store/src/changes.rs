//! What other nodes must hear: one row for each commit that alters something they remember.

use std::time::Duration;

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{CaseStatement, Expr, OnConflict};
use sea_orm::{ActiveValue::Set, Condition, DatabaseTransaction, QueryOrder};

use crate::{Fault, Store, console, password_resets, refresh_tokens, sessions, throttles};

/// The kinds of change.
pub mod kind {
    /// A session ended; the key is its id.
    pub const SESSION: &str = "session";
    /// A user's tokens issued before `at` are dead; the key is the user's id.
    pub const SUBJECT: &str = "subject";
    /// A client was made, changed, disabled or deleted; read it again. The key is its id.
    pub const CLIENT: &str = "client";
    /// The key set changed; the key is the `kid`.
    pub const SIGNING_KEY: &str = "signing_key";
    /// An API key was made, revoked or deleted; the key is its id.
    pub const API_KEY: &str = "api_key";
    /// An API changed; the key is its identifier.
    pub const API: &str = "api";
    /// A role changed; the key is its name.
    pub const ROLE: &str = "role";
    /// A database has a new credential; the key is the database's name in the configuration.
    pub const DATABASE_CREDENTIAL: &str = "database_credential";
}

/// A change.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "changes")]
pub struct Model {
    /// Grows; on PostgreSQL a lower one may appear a moment after a higher one.
    #[sea_orm(primary_key)]
    pub seq: i64,
    /// One of [`kind`].
    pub kind: String,
    /// What changed.
    pub key: String,
    /// Unix seconds.
    pub at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// Of whom tokens issued before `at` are dead. Outlives the session, user or client that it speaks of.
pub(crate) mod revocation {
    use sea_orm::entity::prelude::*;

    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "revocations")]
    pub struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub kind: String,
        #[sea_orm(primary_key, auto_increment = false)]
        pub key: String,
        pub at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

/// What a starting node must know: tokens of these issued before the given Unix second are refused.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revocations {
    /// Ended sessions: id and when.
    pub sessions: Vec<(String, i64)>,
    /// Users (blocked, deleted, new password): id and `not_before`.
    pub subjects: Vec<(String, i64)>,
    /// Clients (disabled, deleted): id and when.
    pub clients: Vec<(String, i64)>,
}

impl Store {
    /// Changes with a number above `seq - window`, and those made at `recent_after` or later whatever their number, in order.
    /// Both are read again each time, and the reader skips what it has seen: sequences commit out of order, and one commit
    /// of many rows may leave any number of them behind it. What escapes is a row whose transaction stays open for longer
    /// than `recent_after` lies in the past, while a whole window of others commits.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn changes_since(&self, seq: i64, window: i64, recent_after: i64) -> Result<Vec<Model>, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let again = Condition::any()
                .add(Column::Seq.gt(seq.saturating_sub(window)))
                .add(Column::At.gte(recent_after));
            Ok(Entity::find().filter(again).order_by_asc(Column::Seq).all(database).await?)
        })
        .await
    }

    /// The highest number so far, 0 when there is none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn latest_seq(&self) -> Result<i64, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let latest = Entity::find().order_by_desc(Column::Seq).one(database).await?;
            Ok(latest.map_or(0, |change| change.seq))
        })
        .await
    }

    /// Revocations at or after this moment. A starting node asks [`Store::latest_seq`] first and then this.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn revocations_since(&self, since: i64) -> Result<Revocations, Fault> {
        self.read(move |database| async move {
            let database = &database;
            let rows = revocation::Entity::find()
                .filter(revocation::Column::At.gte(since))
                .order_by_asc(revocation::Column::At)
                .all(database)
                .await?;
            let mut revocations = Revocations::default();
            for row in rows {
                match row.kind.as_str() {
                    kind::SESSION => revocations.sessions.push((row.key, row.at)),
                    kind::SUBJECT => revocations.subjects.push((row.key, row.at)),
                    kind::CLIENT => revocations.clients.push((row.key, row.at)),
                    _ => {}
                }
            }
            Ok(revocations)
        })
        .await
    }

    /// Deletes changes and revocations before this moment, which must lie further back than the longest-lived token.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_changes(&self, before: i64) -> Result<u64, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let changes = Entity::delete_many().filter(Column::At.lt(before)).exec(transaction).await?;
            let revocations = revocation::Entity::delete_many()
                .filter(revocation::Column::At.lt(before))
                .exec(transaction)
                .await?;
            Ok(changes.rows_affected + revocations.rows_affected)
        })
        .await
    }

    /// Deletes what time has ended: sessions, refresh tokens, reset links, throttles, the console's links and sessions. Nodes may all call it.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn prune_expired(&self, now: i64) -> Result<u64, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let tokens = refresh_tokens::Entity::delete_many()
                .filter(refresh_tokens::Column::ExpiresAt.lte(now))
                .exec(transaction)
                .await?;
            let sessions = sessions::Entity::delete_many()
                .filter(sessions::Column::ExpiresAt.lte(now))
                .exec(transaction)
                .await?;
            let resets = password_resets::Entity::delete_many()
                .filter(password_resets::Column::ExpiresAt.lte(now))
                .exec(transaction)
                .await?;
            let throttles = throttles::Entity::delete_many()
                .filter(throttles::Column::ExpiresAt.lte(now))
                .exec(transaction)
                .await?;
            let links = console::link::Entity::delete_many()
                .filter(console::link::Column::ExpiresAt.lte(now))
                .exec(transaction)
                .await?;
            let visits = console::Entity::delete_many()
                .filter(console::Column::ExpiresAt.lte(now))
                .exec(transaction)
                .await?;
            let all = [tokens, sessions, resets, throttles, links, visits];
            Ok(all.iter().map(|deleted| deleted.rows_affected).sum())
        })
        .await
    }

    /// Returns when this process has committed something or the time is up; true when woken. Only a hint: other
    /// processes do not wake it, and reading [`Store::changes_since`] twice a second is the guarantee.
    pub async fn wait_for_change(&self, timeout: Duration) -> bool {
        tokio::time::timeout(timeout, self.inner.changed.notified()).await.is_ok()
    }
}

/// Inserts the row that the other nodes read.
pub(crate) async fn record(
    transaction: &DatabaseTransaction,
    kind: &str,
    key: &str,
    now: i64,
) -> Result<(), Fault> {
    let row = ActiveModel {
        kind: Set(kind.to_owned()),
        key: Set(key.to_owned()),
        at: Set(now),
        ..Default::default()
    };
    Entity::insert(row).exec_without_returning(transaction).await?;
    Ok(())
}

/// As [`record`], and kept for nodes that start later.
pub(crate) async fn revoke(
    transaction: &DatabaseTransaction,
    kind: &str,
    key: &str,
    now: i64,
) -> Result<(), Fault> {
    revoke_many(transaction, kind, &[key.to_owned()], now).await
}

/// As [`revoke`], for any number of keys.
pub(crate) async fn revoke_many(
    transaction: &DatabaseTransaction,
    kind: &str,
    keys: &[String],
    now: i64,
) -> Result<(), Fault> {
    // Well below what both engines take as parameters of one statement.
    for keys in keys.chunks(1000) {
        let changes = keys.iter().map(|key| ActiveModel {
            kind: Set(kind.to_owned()),
            key: Set(key.clone()),
            at: Set(now),
            ..Default::default()
        });
        Entity::insert_many(changes).exec_without_returning(transaction).await?;
        let revocations = keys.iter().map(|key| revocation::ActiveModel {
            kind: Set(kind.to_owned()),
            key: Set(key.clone()),
            at: Set(now),
        });
        // A clock that lags on one node must not bring an older token back to life.
        let stored = Expr::col((revocation::Entity, revocation::Column::At));
        let later =
            CaseStatement::new().case(revocation::Column::At.gt(now), stored).finally(Expr::value(now));
        revocation::Entity::insert_many(revocations)
            .on_conflict(
                OnConflict::columns([revocation::Column::Kind, revocation::Column::Key])
                    .value(revocation::Column::At, Expr::Case(Box::new(later)))
                    .to_owned(),
            )
            .exec_without_returning(transaction)
            .await?;
    }
    Ok(())
}
