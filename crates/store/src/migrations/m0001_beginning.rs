//! The first storey's tables.
//!
//! A portable diet: text, big integers, booleans, bytes. Text columns that a request searches by are keys or indexed.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{
    big_integer, big_integer_null, big_pk_auto, blob, blob_null, boolean, text, text_null, text_uniq,
};
use sea_orm_migration::sea_orm;

pub(super) struct Step;

impl MigrationName for Step {
    fn name(&self) -> &'static str {
        "m0001_beginning"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Step {
    async fn up(&self, manager: &SchemaManager) -> Result<(), sea_orm::DbErr> {
        for table in [users(), apis(), roles(), role_permissions(), user_roles()] {
            manager.create_table(table).await?;
        }
        for table in [clients(), client_grants(), sessions(), refresh_tokens(), password_resets()] {
            manager.create_table(table).await?;
        }
        for table in [signing_keys(), settings(), api_keys(), throttles(), outbox(), changes(), revocations()]
        {
            manager.create_table(table).await?;
        }
        for (table, column) in INDEXES {
            let index = Index::create()
                .name(format!("{table}_by_{column}"))
                .table(Alias::new(*table))
                .col(Alias::new(*column))
                .take();
            manager.create_index(index).await?;
        }
        Ok(())
    }
}

/// What is searched or pruned by, and is no key already.
const INDEXES: &[(&str, &str)] = &[
    ("user_roles", "role"),
    ("role_permissions", "audience"),
    ("client_grants", "audience"),
    ("sessions", "user_id"),
    ("sessions", "client_id"),
    ("sessions", "expires_at"),
    ("refresh_tokens", "session_id"),
    ("refresh_tokens", "expires_at"),
    ("password_resets", "user_id"),
    ("password_resets", "expires_at"),
    ("throttles", "expires_at"),
    ("outbox", "next_attempt_at"),
    ("changes", "at"),
    ("revocations", "at"),
];

fn table(name: &'static str) -> TableCreateStatement {
    Table::create().table(Alias::new(name)).take()
}

fn key(name: &'static str) -> ColumnDef {
    text(name).primary_key().take()
}

/// Rows that mean nothing without the row they name go with it.
fn belongs_to(column: &'static str, table: &'static str, to: &'static str) -> ForeignKeyCreateStatement {
    ForeignKey::create()
        .from_col(Alias::new(column))
        .to(Alias::new(table), Alias::new(to))
        .on_delete(ForeignKeyAction::Cascade)
        .take()
}

fn users() -> TableCreateStatement {
    table("users")
        .col(key("id"))
        .col(text("email"))
        .col(text_uniq("email_canonical"))
        .col(boolean("email_verified"))
        .col(text_null("password_hash"))
        .col(boolean("blocked"))
        .col(big_integer("not_before"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .take()
}

fn apis() -> TableCreateStatement {
    table("apis")
        .col(key("identifier"))
        .col(text("name"))
        .col(text("scopes"))
        .col(text("signing_alg"))
        .col(big_integer_null("token_lifetime"))
        .take()
}

fn roles() -> TableCreateStatement {
    table("roles").col(key("name")).col(text("description")).col(boolean("is_default")).take()
}

fn role_permissions() -> TableCreateStatement {
    table("role_permissions")
        .col(text("role"))
        .col(text("audience"))
        .col(text("scope"))
        .primary_key(Index::create().col("role").col("audience").col("scope"))
        .foreign_key(&mut belongs_to("role", "roles", "name"))
        .foreign_key(&mut belongs_to("audience", "apis", "identifier"))
        .take()
}

fn user_roles() -> TableCreateStatement {
    table("user_roles")
        .col(text("user_id"))
        .col(text("role"))
        .primary_key(Index::create().col("user_id").col("role"))
        .foreign_key(&mut belongs_to("user_id", "users", "id"))
        .foreign_key(&mut belongs_to("role", "roles", "name"))
        .take()
}

fn clients() -> TableCreateStatement {
    table("clients")
        .col(key("id"))
        .col(text_uniq("name"))
        .col(text("kind"))
        .col(blob_null("secret_digest"))
        .col(text("auth_method"))
        .col(text("grants"))
        .col(text("callbacks"))
        .col(text("logout_urls"))
        .col(text("web_origins"))
        .col(boolean("disabled"))
        .col(big_integer("created_at"))
        .take()
}

fn client_grants() -> TableCreateStatement {
    table("client_grants")
        .col(text("client_id"))
        .col(text("audience"))
        .col(text("scopes"))
        .primary_key(Index::create().col("client_id").col("audience"))
        .foreign_key(&mut belongs_to("client_id", "clients", "id"))
        .foreign_key(&mut belongs_to("audience", "apis", "identifier"))
        .take()
}

fn sessions() -> TableCreateStatement {
    table("sessions")
        .col(key("id"))
        .col(text("user_id"))
        .col(text("client_id"))
        .col(text("audience"))
        .col(text("scope"))
        .col(big_integer("created_at"))
        .col(big_integer("expires_at"))
        .col(big_integer_null("ended_at"))
        .foreign_key(&mut belongs_to("user_id", "users", "id"))
        .take()
}

fn refresh_tokens() -> TableCreateStatement {
    table("refresh_tokens")
        .col(blob("digest").primary_key().take())
        .col(text("session_id"))
        .col(big_integer("issued_at"))
        .col(big_integer("expires_at"))
        .col(big_integer_null("redeemed_at"))
        .foreign_key(&mut belongs_to("session_id", "sessions", "id"))
        .take()
}

fn password_resets() -> TableCreateStatement {
    table("password_resets")
        .col(blob("digest").primary_key().take())
        .col(text("user_id"))
        .col(big_integer("created_at"))
        .col(big_integer("expires_at"))
        .col(big_integer_null("redeemed_at"))
        .foreign_key(&mut belongs_to("user_id", "users", "id"))
        .take()
}

fn signing_keys() -> TableCreateStatement {
    table("signing_keys")
        .col(key("kid"))
        .col(text("algorithm"))
        .col(text("public_jwk"))
        .col(blob("private_sealed"))
        .col(big_integer("created_at"))
        .col(big_integer("signs_from"))
        .col(big_integer_null("retires_at"))
        .take()
}

fn settings() -> TableCreateStatement {
    table("settings").col(key("name")).col(blob("value")).take()
}

fn api_keys() -> TableCreateStatement {
    table("api_keys")
        .col(key("id"))
        .col(text("name"))
        .col(blob("digest").unique_key().take())
        .col(text("scopes"))
        .col(text_null("client_id"))
        .col(big_integer("created_at"))
        .col(big_integer_null("expires_at"))
        .col(big_integer_null("revoked_at"))
        .col(big_integer_null("last_used_at"))
        .col(big_integer("uses"))
        .take()
}

fn throttles() -> TableCreateStatement {
    table("throttles")
        .col(key("bucket"))
        .col(big_integer("window_start"))
        .col(big_integer("expires_at"))
        .col(big_integer("taken"))
        .take()
}

fn outbox() -> TableCreateStatement {
    table("outbox")
        .col(key("id"))
        .col(blob("sealed"))
        .col(big_integer("created_at"))
        .col(big_integer("next_attempt_at"))
        .col(big_integer("attempts"))
        .col(text_null("last_error"))
        .take()
}

fn changes() -> TableCreateStatement {
    table("changes").col(big_pk_auto("seq")).col(text("kind")).col(text("key")).col(big_integer("at")).take()
}

fn revocations() -> TableCreateStatement {
    table("revocations")
        .col(text("kind"))
        .col(text("key"))
        .col(big_integer("at"))
        .primary_key(Index::create().col("kind").col("key"))
        .take()
}
