//! The journal of database credentials, and which node uses which.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, blob, blob_null, text, text_null};
use sea_orm_migration::sea_orm;

pub(super) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0002_rotations"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), sea_orm::DbErr> {
        let rotations = Table::create()
            .table(Alias::new("rotations"))
            .col(text("name").primary_key().take())
            .col(big_integer("revision"))
            .col(big_integer("generation"))
            .col(text("state"))
            .col(blob("current"))
            .col(blob_null("pending"))
            .col(blob_null("previous"))
            .col(text("progress"))
            .col(text_null("report"))
            .col(text_null("fault"))
            .col(big_integer("updated_at"))
            .take();
        manager.create_table(rotations).await?;
        let nodes = Table::create()
            .table(Alias::new("rotation_nodes"))
            .col(text("name"))
            .col(text("node"))
            .col(big_integer("generation"))
            .col(big_integer("at"))
            .primary_key(Index::create().col("name").col("node"))
            .take();
        manager.create_table(nodes).await
    }
}
