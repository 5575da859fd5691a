//! Both engines have the same tables, columns, nullability, keys, references and indexes.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;
use sqlx::{Connection, Row};
use store::Location;

use crate::engines::World;

/// One fact a line, in words that both engines share.
type Facts = BTreeSet<String>;

#[tokio::test]
async fn the_schemas_are_twins() {
    let (sqlcipher, postgres) = (World::sqlcipher().await, World::postgres().await);
    let (one, other) = (sqlcipher_facts(&sqlcipher).await, postgres_facts(&postgres).await);
    assert!(one.len() > 100, "the introspection sees the schema: {} facts", one.len());
    let only_one: Vec<_> = one.difference(&other).collect();
    let only_other: Vec<_> = other.difference(&one).collect();
    assert!(
        only_one.is_empty() && only_other.is_empty(),
        "SQLCipher: {only_one:#?}\nPostgreSQL: {only_other:#?}"
    );
}

async fn sqlcipher_facts(world: &World) -> Facts {
    let Location::SqlCipher { path, key } = &world.location else { panic!("not SQLCipher") };
    let digits: String = key.expose_secret().iter().map(|byte| format!("{byte:02x}")).collect();
    let options = sqlx::sqlite::SqliteConnectOptions::new()
        .filename(path)
        .pragma("key", format!("\"x'{digits}'\""))
        .read_only(true);
    let mut connection = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
    let rows = sqlx::query(
        "SELECT 'column ' || m.name || '.' || c.name || ' '
                || CASE lower(c.type) WHEN 'integer' THEN 'number' WHEN 'text' THEN 'text' WHEN 'blob' THEN 'bytes'
                   WHEN 'boolean' THEN 'flag' ELSE c.type END
                || CASE WHEN c.\"notnull\" THEN ' required' ELSE '' END
                || CASE WHEN c.pk > 0 THEN ' key' || c.pk ELSE '' END
         FROM sqlite_schema m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite%' AND m.name NOT LIKE 'seaql%'
         UNION ALL
         SELECT 'reference ' || m.name || '.' || f.\"from\" || ' ' || f.\"table\" || '.' || f.\"to\" || ' '
                || lower(f.on_delete)
         FROM sqlite_schema m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'
         UNION ALL
         SELECT 'index ' || m.name || ' ' || CASE WHEN i.\"unique\" THEN 'unique ' ELSE '' END
                || (SELECT group_concat(x.name) FROM pragma_index_info(i.name) x)
         FROM sqlite_schema m JOIN pragma_index_list(m.name) i
         WHERE m.type = 'table' AND i.origin != 'pk' AND m.name NOT LIKE 'seaql%'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    rows.into_iter().map(|row| row.get::<String, _>(0)).collect()
}

async fn postgres_facts(world: &World) -> Facts {
    let Location::Postgres { url, password } = &world.location else { panic!("not PostgreSQL") };
    let options: sqlx::postgres::PgConnectOptions = url.parse().unwrap();
    let options = options.password(password.expose_secret());
    let mut connection = sqlx::PgConnection::connect_with(&options).await.unwrap();
    let rows = sqlx::query(
        "SELECT 'column ' || t.relname || '.' || a.attname || ' '
                || CASE format_type(a.atttypid, a.atttypmod) WHEN 'bigint' THEN 'number' WHEN 'text' THEN 'text'
                   WHEN 'bytea' THEN 'bytes' WHEN 'boolean' THEN 'flag' ELSE format_type(a.atttypid, a.atttypmod) END
                || CASE WHEN a.attnotnull THEN ' required' ELSE '' END
                || coalesce(' key' || array_position(k.conkey, a.attnum), '')
         FROM pg_class t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
         LEFT JOIN pg_constraint k ON k.conrelid = t.oid AND k.contype = 'p'
         WHERE t.relkind = 'r' AND t.relnamespace = 'public'::regnamespace AND t.relname NOT LIKE 'seaql%'
         UNION ALL
         SELECT 'reference ' || c.conrelid::regclass || '.' || a.attname || ' ' || c.confrelid::regclass || '.'
                || b.attname || ' ' || CASE c.confdeltype WHEN 'c' THEN 'cascade' ELSE c.confdeltype::text END
         FROM pg_constraint c
         JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
         JOIN pg_attribute b ON b.attrelid = c.confrelid AND b.attnum = c.confkey[1]
         WHERE c.contype = 'f'
         UNION ALL
         SELECT 'index ' || t.relname || ' ' || CASE WHEN i.indisunique THEN 'unique ' ELSE '' END
                || (SELECT string_agg(a.attname, ',' ORDER BY array_position(i.indkey::int[], a.attnum::int))
                    FROM pg_attribute a WHERE a.attrelid = t.oid AND a.attnum = ANY (i.indkey::int[]))
         FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
         WHERE NOT i.indisprimary AND t.relnamespace = 'public'::regnamespace AND t.relname NOT LIKE 'seaql%'",
    )
    .fetch_all(&mut connection)
    .await
    .unwrap();
    rows.into_iter().map(|row| row.get::<String, _>(0)).collect()
}
