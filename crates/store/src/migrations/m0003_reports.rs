//! The auditor's reports, and who may look at them: links and sessions of the console.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, big_integer_null, blob, text, text_null};
use sea_orm_migration::sea_orm;

pub(super) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0003_reports"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), sea_orm::DbErr> {
        let reports = Table::create()
            .table(Alias::new("reports"))
            .col(blob("digest").primary_key().take())
            .col(text("environment"))
            .col(big_integer("started_at"))
            .col(blob("bytes"))
            .col(text("verdicts"))
            .col(big_integer("passed"))
            .col(big_integer("failed"))
            .col(big_integer("not_proven"))
            .take();
        let links = Table::create()
            .table(Alias::new("console_links"))
            .col(blob("digest").primary_key().take())
            .col(big_integer("created_at"))
            .col(big_integer("expires_at"))
            .col(big_integer_null("used_at"))
            .take();
        let sessions = Table::create()
            .table(Alias::new("console_sessions"))
            .col(blob("digest").primary_key().take())
            .col(text_null("user_id"))
            .col(big_integer("created_at"))
            .col(big_integer("expires_at"))
            .col(big_integer("seen_at"))
            .foreign_key(
                ForeignKey::create()
                    .from_col(Alias::new("user_id"))
                    .to(Alias::new("users"), Alias::new("id"))
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .take();
        for table in [reports, links, sessions] {
            manager.create_table(table).await?;
        }
        for (table, column) in [
            ("reports", "environment"),
            ("console_links", "expires_at"),
            ("console_sessions", "expires_at"),
            ("console_sessions", "user_id"),
        ] {
            let index = Index::create()
                .name(format!("{table}_by_{column}"))
                .table(Alias::new(table))
                .col(Alias::new(column))
                .take();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}
