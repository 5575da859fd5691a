//! Rows of any table, the same whichever engine they come from: what a copy moves and what proves it.

use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use sqlx::{AssertSqlSafe, ColumnIndex, Database, Decode, Executor, PgConnection, QueryBuilder, Row, Type};
use sqlx::{SqliteConnection, query_builder::Separated};

use crate::Fault;

/// Rows of one INSERT; PostgreSQL takes 65 535 parameters and `SQLite` 32 766.
const BATCH: usize = 200;
/// What is no data: the list of migrations, which the copy makes for itself, and the list of contents of a backup.
const OURS_ALONE: &str = "'seaql_migrations', 'backup_contents'";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Flag,
    Text,
    Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    Null,
    Integer(i64),
    Flag(bool),
    Text(String),
    Bytes(Vec<u8>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Table {
    pub(crate) name: String,
    columns: Vec<(String, Kind)>,
    /// A key that counts up by itself; its count is part of the data.
    counter: bool,
}

/// How many rows, and the sum of their SHA-256 in four lanes: the same in any order, and told apart when a row is there
/// twice. It proves a copy; against a forger stands the file's own encryption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum {
    pub(crate) rows: u64,
    lanes: [u64; 4],
}

impl Sum {
    fn add(&mut self, row: &[Cell]) {
        let mut context = aws_lc_rs::digest::Context::new(&aws_lc_rs::digest::SHA256);
        for cell in row {
            let (tag, bytes): (u8, &[u8]) = match cell {
                Cell::Null => (0, &[]),
                Cell::Integer(number) => (1, &number.to_be_bytes()),
                Cell::Flag(flag) => (2, &[u8::from(*flag)]),
                Cell::Text(text) => (3, text.as_bytes()),
                Cell::Bytes(bytes) => (4, bytes),
            };
            context.update(&[tag]);
            context.update(&(bytes.len() as u64).to_be_bytes());
            context.update(bytes);
        }
        let digest = context.finish();
        for (lane, bytes) in self.lanes.iter_mut().zip(digest.as_ref().chunks_exact(8)) {
            *lane = lane.wrapping_add(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        }
        self.rows += 1;
    }

    /// Hexadecimal digits.
    pub(crate) fn digest(&self) -> String {
        self.lanes.iter().map(|lane| format!("{lane:016x}")).collect()
    }
}

/// The tables that hold data, those first that others refer to, as the schema of a SQLCipher file has them.
pub(crate) async fn of(connection: &mut SqliteConnection) -> Result<Vec<Table>, Fault> {
    let sql = format!(
        "SELECT m.name, c.name, lower(c.type), m.sql LIKE '%autoincrement%'
         FROM sqlite_schema m JOIN pragma_table_info(m.name) c
         WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite!_%' ESCAPE '!' AND m.name NOT IN ({OURS_ALONE})
         ORDER BY m.rowid, c.cid"
    );
    let mut tables: Vec<Table> = Vec::new();
    for row in sqlx::query(AssertSqlSafe(sql)).fetch_all(connection).await? {
        let (table, column, kind): (String, String, String) =
            (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        let kind = match kind.as_str() {
            "integer" | "bigint" => Kind::Integer,
            "boolean" => Kind::Flag,
            "text" => Kind::Text,
            "blob" => Kind::Bytes,
            other => return Err(Fault::Unreadable(format!("{table}.{column} has the type {other}"))),
        };
        match tables.last_mut().filter(|last| last.name == table) {
            Some(last) => last.columns.push((column, kind)),
            None => {
                tables.push(Table { name: table, columns: vec![(column, kind)], counter: row.try_get(3)? });
            }
        }
    }
    Ok(tables)
}

impl Table {
    fn names(&self) -> String {
        self.columns.iter().map(|(name, _)| format!("\"{name}\"")).collect::<Vec<_>>().join(", ")
    }

    fn read<R>(&self, row: &R) -> Result<Vec<Cell>, sqlx::Error>
    where
        R: Row,
        usize: ColumnIndex<R>,
        for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> bool: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
        for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
    {
        let cell = |(place, (_, kind)): (usize, &(String, Kind))| {
            Ok(match kind {
                Kind::Integer => row.try_get::<Option<i64>, _>(place)?.map(Cell::Integer),
                Kind::Flag => row.try_get::<Option<bool>, _>(place)?.map(Cell::Flag),
                Kind::Text => row.try_get::<Option<String>, _>(place)?.map(Cell::Text),
                Kind::Bytes => row.try_get::<Option<Vec<u8>>, _>(place)?.map(Cell::Bytes),
            }
            .unwrap_or(Cell::Null))
        };
        self.columns.iter().enumerate().map(cell).collect()
    }
}

/// A connection of either engine, inside a transaction of the caller's.
pub(crate) enum Side<'c> {
    SqlCipher(&'c mut SqliteConnection),
    Postgres(&'c mut PgConnection),
}

impl Side<'_> {
    /// Every row of the table, in no order.
    pub(crate) fn rows<'s>(&'s mut self, table: &'s Table) -> BoxStream<'s, Result<Vec<Cell>, Fault>> {
        let sql = AssertSqlSafe(format!("SELECT {} FROM \"{}\"", table.names(), table.name));
        match self {
            Self::SqlCipher(connection) => sqlx::query(sql)
                .fetch(&mut **connection)
                .map(|row| row.and_then(|row| table.read(&row)).map_err(Fault::from))
                .boxed(),
            Self::Postgres(connection) => sqlx::query(sql)
                .fetch(&mut **connection)
                .map(|row| row.and_then(|row| table.read(&row)).map_err(Fault::from))
                .boxed(),
        }
    }

    pub(crate) async fn sum(&mut self, table: &Table) -> Result<Sum, Fault> {
        let mut sum = Sum::default();
        let mut rows = self.rows(table);
        while let Some(row) = rows.try_next().await? {
            sum.add(&row);
        }
        Ok(sum)
    }

    pub(crate) async fn run(&mut self, sql: String) -> Result<(), Fault> {
        match self {
            Self::SqlCipher(connection) => connection.execute(AssertSqlSafe(sql)).await.map(drop)?,
            Self::Postgres(connection) => connection.execute(AssertSqlSafe(sql)).await.map(drop)?,
        }
        Ok(())
    }

    pub(crate) async fn is_empty(&mut self, table: &Table) -> Result<bool, Fault> {
        Ok(self.rows(table).try_next().await?.is_none())
    }

    async fn insert(&mut self, table: &Table, rows: &mut Vec<Vec<Cell>>) -> Result<(), Fault> {
        if rows.is_empty() {
            return Ok(());
        }
        let head = format!("INSERT INTO \"{}\" ({}) ", table.name, table.names());
        match self {
            Self::SqlCipher(connection) => {
                let mut insert = QueryBuilder::<sqlx::Sqlite>::new(head);
                insert.push_values(rows.drain(..), |values, row| bind(values, table, row));
                insert.build().persistent(false).execute(&mut **connection).await?;
            }
            Self::Postgres(connection) => {
                let mut insert = QueryBuilder::<sqlx::Postgres>::new(head);
                insert.push_values(rows.drain(..), |values, row| bind(values, table, row));
                insert.build().persistent(false).execute(&mut **connection).await?;
            }
        }
        Ok(())
    }

    /// How far the counter of the table's key has come.
    async fn counter(&mut self, table: &Table) -> Result<i64, Fault> {
        Ok(match self {
            Self::SqlCipher(connection) => {
                sqlx::query_scalar("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = ?")
                    .bind(&table.name)
                    .fetch_one(&mut **connection)
                    .await?
            }
            Self::Postgres(connection) => {
                let sql =
                    "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence($1, $2)::regclass), 0)";
                sqlx::query_scalar(sql)
                    .bind(format!("\"{}\"", table.name))
                    .bind(&table.columns[0].0)
                    .fetch_one(&mut **connection)
                    .await?
            }
        })
    }

    async fn set_counter(&mut self, table: &Table, value: i64) -> Result<(), Fault> {
        match self {
            Self::SqlCipher(connection) => {
                sqlx::query("DELETE FROM sqlite_sequence WHERE name = ?")
                    .bind(&table.name)
                    .execute(&mut **connection)
                    .await?;
                sqlx::query("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)")
                    .bind(&table.name)
                    .bind(value)
                    .execute(&mut **connection)
                    .await?;
            }
            Self::Postgres(connection) => {
                sqlx::query(
                    "SELECT setval(pg_get_serial_sequence($1, $2)::regclass, greatest($3, 1), $3 > 0)",
                )
                .bind(format!("\"{}\"", table.name))
                .bind(&table.columns[0].0)
                .bind(value)
                .execute(&mut **connection)
                .await?;
            }
        }
        Ok(())
    }
}

fn bind<DB>(mut values: Separated<'_, DB, &'static str>, table: &Table, row: Vec<Cell>)
where
    DB: Database,
    for<'t> Option<i64>: sqlx::Encode<'t, DB> + Type<DB>,
    for<'t> Option<bool>: sqlx::Encode<'t, DB> + Type<DB>,
    for<'t> Option<String>: sqlx::Encode<'t, DB> + Type<DB>,
    for<'t> Option<Vec<u8>>: sqlx::Encode<'t, DB> + Type<DB>,
{
    for (cell, (_, kind)) in row.into_iter().zip(&table.columns) {
        // A NULL has the type of its column.
        match (cell, kind) {
            (Cell::Integer(number), _) => values.push_bind(Some(number)),
            (Cell::Flag(flag), _) => values.push_bind(Some(flag)),
            (Cell::Text(text), _) => values.push_bind(Some(text)),
            (Cell::Bytes(bytes), _) => values.push_bind(Some(bytes)),
            (Cell::Null, Kind::Integer) => values.push_bind(None::<i64>),
            (Cell::Null, Kind::Flag) => values.push_bind(None::<bool>),
            (Cell::Null, Kind::Text) => values.push_bind(None::<String>),
            (Cell::Null, Kind::Bytes) => values.push_bind(None::<Vec<u8>>),
        };
    }
}

/// Copies every row of the table and the count of its key; what was read is summed, and `progress` hears of every batch.
pub(crate) async fn copy(
    from: &mut Side<'_>,
    to: &mut Side<'_>,
    table: &Table,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Sum, Fault> {
    let counter = if table.counter { Some(from.counter(table).await?) } else { None };
    let mut sum = Sum::default();
    let mut batch = Vec::with_capacity(BATCH);
    let mut rows = from.rows(table);
    while let Some(row) = rows.try_next().await? {
        sum.add(&row);
        batch.push(row);
        if batch.len() == BATCH {
            to.insert(table, &mut batch).await?;
            progress(sum.rows);
        }
    }
    drop(rows);
    to.insert(table, &mut batch).await?;
    progress(sum.rows);
    if let Some(counter) = counter {
        to.set_counter(table, counter).await?;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_knows_rows_whatever_their_order() {
        let rows = [
            vec![Cell::Text("a".to_owned()), Cell::Null],
            vec![Cell::Text(String::new()), Cell::Integer(1)],
            vec![Cell::Bytes(vec![1]), Cell::Flag(true)],
        ];
        let sum = |order: &[usize]| {
            let mut sum = Sum::default();
            order.iter().for_each(|place| sum.add(&rows[*place]));
            sum
        };
        assert_eq!(sum(&[0, 1, 2]), sum(&[2, 0, 1]));
        for other in [&[0, 1][..], &[0, 1, 2, 2], &[0, 0, 2], &[]] {
            assert_ne!(sum(&[0, 1, 2]), sum(other), "{other:?}");
        }
        // What stands in one cell does not pass for what stands in two.
        let split = |one: &str, other: &str| {
            let mut sum = Sum::default();
            sum.add(&[Cell::Text(one.to_owned()), Cell::Text(other.to_owned())]);
            sum.digest()
        };
        assert_ne!(split("ab", "c"), split("a", "bc"));
        assert_eq!(split("a", "b").len(), 64);
    }
}
