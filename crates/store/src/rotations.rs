//! The journal of database credentials: one row a database, secrets sealed by the caller, and the nodes' signs of life.

use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, IntoActiveModel, QueryOrder};

use crate::changes::{self, kind};
use crate::{Fault, Store};

/// One database's credentials and how far their change has come.
#[derive(Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "rotations")]
pub struct Model {
    /// The database's name in the configuration.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// Grows with every write: what a node has read is what it replaces.
    pub revision: i64,
    /// The generation of `current`.
    pub generation: i64,
    /// `stable`, `prepared`, `set`, `tested`, `promoted` or `adopted`.
    pub state: String,
    /// The credential in use, sealed.
    pub current: Vec<u8>,
    /// The next one, sealed.
    pub pending: Option<Vec<u8>>,
    /// The one before, sealed; kept for a cycle, so that it can be shown to be dead.
    pub previous: Option<Vec<u8>>,
    /// JSON: when which step was done. No secret.
    pub progress: String,
    /// JSON: what the last finished rotation left. No secret.
    pub report: Option<String>,
    /// What went wrong last, until something went right.
    pub fault: Option<String>,
    /// Unix seconds.
    pub updated_at: i64,
}

crate::redacted::redacted!(Model as "RotationRow": name, revision, generation, state);

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}

/// A node's sign of life.
mod node {
    use sea_orm::entity::prelude::*;

    /// Which generation of a credential a node uses.
    #[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
    #[sea_orm(table_name = "rotation_nodes")]
    pub struct Model {
        /// The database's name in the configuration.
        #[sea_orm(primary_key, auto_increment = false)]
        pub name: String,
        /// The node.
        #[sea_orm(primary_key, auto_increment = false)]
        pub node: String,
        /// The generation that it uses.
        pub generation: i64,
        /// When it said so, Unix seconds.
        pub at: i64,
    }

    #[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
    pub enum Relation {}

    impl ActiveModelBehavior for ActiveModel {}
}

pub use node::Model as NodeCredential;

impl Store {
    /// The journal's row of a database.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotation(&self, name: &str) -> Result<Option<Model>, Fault> {
        self.read(move |database| async move { Ok(Entity::find_by_id(name).one(&database).await?) }).await
    }

    /// Every row, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn rotations(&self) -> Result<Vec<Model>, Fault> {
        self.read(move |database| async move {
            Ok(Entity::find().order_by_asc(Column::Name).all(&database).await?)
        })
        .await
    }

    /// Writes the first row of a database; false when there is one already, and then nothing is changed.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn begin_rotations(&self, row: &Model) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let inserted = Entity::insert(row.clone().into_active_model())
                .on_conflict(OnConflict::column(Column::Name).do_nothing().to_owned())
                .exec_without_returning(&*transaction)
                .await?;
            Ok(inserted == 1)
        })
        .await
    }

    /// Replaces the row that has the revision, generation and state of `seen` by `next`, whose revision must be greater.
    /// False when the stored one has moved on: then nothing is changed. Nodes hear of a new generation by a change.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for a revision or generation that does not grow; else when the database fails.
    pub async fn advance_rotation(&self, seen: &Model, next: &Model) -> Result<bool, Fault> {
        if next.name != seen.name || next.revision <= seen.revision || next.generation < seen.generation {
            return Err(Fault::Conflict("a rotation's revision and generation only grow".to_owned()));
        }
        self.put_rotation(seen, next).await
    }

    /// As [`Store::advance_rotation`], where another credential takes the place of the one that was looked after, and begins
    /// with a generation of its own. The revision grows all the same, so that nobody takes the new row for the old one.
    ///
    /// # Errors
    /// [`Fault::Conflict`] for a revision that does not grow; else when the database fails.
    pub async fn begin_rotation_anew(&self, seen: &Model, next: &Model) -> Result<bool, Fault> {
        if next.name != seen.name || next.revision <= seen.revision {
            return Err(Fault::Conflict("a rotation's revision only grows".to_owned()));
        }
        self.put_rotation(seen, next).await
    }

    async fn put_rotation(&self, seen: &Model, next: &Model) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            let updated = Entity::update_many()
                .col_expr(Column::Revision, Expr::value(next.revision))
                .col_expr(Column::Generation, Expr::value(next.generation))
                .col_expr(Column::State, Expr::value(next.state.as_str()))
                .col_expr(Column::Current, Expr::value(next.current.clone()))
                .col_expr(Column::Pending, Expr::value(next.pending.clone()))
                .col_expr(Column::Previous, Expr::value(next.previous.clone()))
                .col_expr(Column::Progress, Expr::value(next.progress.as_str()))
                .col_expr(Column::Report, Expr::value(next.report.clone()))
                .col_expr(Column::Fault, Expr::value(next.fault.clone()))
                .col_expr(Column::UpdatedAt, Expr::value(next.updated_at))
                .filter(Column::Name.eq(&seen.name))
                .filter(Column::Revision.eq(seen.revision))
                .filter(Column::Generation.eq(seen.generation))
                .filter(Column::State.eq(&seen.state))
                .exec(transaction)
                .await?;
            let advanced = updated.rows_affected == 1;
            if advanced && next.generation > seen.generation {
                changes::record(transaction, kind::DATABASE_CREDENTIAL, &next.name, next.updated_at).await?;
            }
            Ok(advanced)
        })
        .await
    }

    /// Forgets a database's journal and nodes: after `unadopt`. False when there was none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn forget_rotations(&self, name: &str) -> Result<bool, Fault> {
        self.write(move |transaction| async move {
            let transaction = &*transaction;
            node::Entity::delete_many().filter(node::Column::Name.eq(name)).exec(transaction).await?;
            Ok(Entity::delete_by_id(name).exec(transaction).await?.rows_affected == 1)
        })
        .await
    }

    /// A node says which generation of a database's credential it uses.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn record_node(&self, name: &str, node: &str, generation: i64, now: i64) -> Result<(), Fault> {
        self.write(move |transaction| async move {
            let row = node::ActiveModel {
                name: Set(name.to_owned()),
                node: Set(node.to_owned()),
                generation: Set(generation),
                at: Set(now),
            };
            node::Entity::insert(row)
                .on_conflict(
                    OnConflict::columns([node::Column::Name, node::Column::Node])
                        .update_columns([node::Column::Generation, node::Column::At])
                        .to_owned(),
                )
                .exec_without_returning(&*transaction)
                .await?;
            Ok(())
        })
        .await
    }

    /// The nodes of a database that gave a sign of life at this moment or later, by name.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn nodes_since(&self, name: &str, since: i64) -> Result<Vec<NodeCredential>, Fault> {
        self.read(move |database| async move {
            Ok(node::Entity::find()
                .filter(node::Column::Name.eq(name))
                .filter(node::Column::At.gte(since))
                .order_by_asc(node::Column::Node)
                .all(&database)
                .await?)
        })
        .await
    }
}
