//! A1: what lies in the store is of no use to who reads it.

use serde_json::json;
use sqlx::Row as _;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::world::{NEW_PASSWORD, PASSWORD, STORE_KEY, World};

/// Every value of every column of every table, as bytes.
async fn everything(world: &World) -> Vec<(String, Vec<u8>)> {
    let key: String = STORE_KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    let options = SqliteConnectOptions::new().filename(&world.file).pragma("key", format!("\"x'{key}'\""));
    let mut connection = options.connect().await.unwrap();
    let tables =
        sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table'").fetch_all(&mut connection).await;
    let mut values = Vec::new();
    for table in tables.unwrap() {
        let table: String = table.get(0);
        let columns =
            sqlx::query(sqlx::AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')")))
                .fetch_all(&mut connection)
                .await
                .unwrap();
        for column in columns {
            let column: String = column.get(0);
            let select = format!("SELECT CAST(\"{column}\" AS BLOB) FROM \"{table}\"");
            for row in sqlx::query(sqlx::AssertSqlSafe(select)).fetch_all(&mut connection).await.unwrap() {
                let value: Option<Vec<u8>> = row.get(0);
                values.push((format!("{table}.{column}"), value.unwrap_or_default()));
            }
        }
    }
    connection.close().await.unwrap();
    values
}

#[tokio::test]
async fn a1_no_password_token_or_link_stands_in_any_column() {
    let world = World::new().await;
    let (access, refresh) = world.session("alice@example.com").await;
    world.call("POST", "/users/password-reset", &json!({ "email": "alice@example.com" })).await.expect(202);
    // The link still lies in the outbox, sealed.
    let before = everything(&world).await;
    assert!(before.len() > 50, "the store was read: {}", before.len());
    assert!(before.iter().any(|(column, value)| column == "users.email" && value == b"alice@example.com"));
    assert!(before.iter().any(|(column, value)| column.starts_with("outbox.") && value.len() > 200));
    let reset = world.mailed_token("alice@example.com").await;
    let body = json!({ "token": reset, "password": NEW_PASSWORD });
    world.call("PUT", "/users/password-reset", &body).await.expect(204);

    let secrets = [PASSWORD, NEW_PASSWORD, &access, &refresh, &reset, crate::world::SECRET, "/reset?"];
    for (column, value) in before.iter().chain(&everything(&world).await) {
        for secret in secrets {
            let found = value.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!found, "{column} holds {secret}");
        }
        if column.starts_with("outbox.") {
            assert!(!value.windows(5).any(|window| window == b"alice"), "{column} names an address");
        }
    }
}
