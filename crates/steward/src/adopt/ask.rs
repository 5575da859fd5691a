//! Questions to one database, whose answers are statements: the texts stand beside this file.

use sqlx::{PgConnection, Row as _};

use super::{Fault, Refusal};
use crate::connect;
use crate::ledger::Statement;
use crate::{Credential, sql};

/// A session of the administrator in one database.
pub(super) struct Session {
    pub(super) database: String,
    pub(super) connection: PgConnection,
}

impl Session {
    pub(super) async fn open(administrator: &Credential, database: &str) -> Result<Self, Fault> {
        let credential = Credential { database: database.to_owned(), ..administrator.clone() };
        let login = |fault| Fault::Login { database: database.to_owned(), fault };
        let connection = connect::login(&credential).await.map_err(login)?;
        let mut session = Self { database: database.to_owned(), connection };
        // Names come back qualified, whatever the application's search path is.
        session.run("Names are read with their schemas.", "set search_path to pg_catalog, pg_temp").await?;
        Ok(session)
    }

    pub(super) async fn close(self) {
        connect::logout(self.connection).await;
    }

    /// Runs a text of one or several statements.
    pub(super) async fn run(&mut self, sentence: &str, text: &str) -> Result<(), Fault> {
        sqlx::raw_sql(sqlx::AssertSqlSafe(text.to_owned()))
            .execute(&mut self.connection)
            .await
            .map(|_| ())
            .map_err(|error| self.fault(sentence, &error))
    }

    pub(super) fn fault(&self, sentence: &str, error: &sqlx::Error) -> Fault {
        let (database, reason) = (self.database.clone(), sql::reason(error));
        match error.as_database_error().and_then(|error| error.code()).as_deref() {
            // Lock not available, deadlock, two who change one role.
            Some("55P03" | "40P01" | "40001") => Fault::Busy { database, reason },
            Some("XX000") if reason.contains("concurrently") => Fault::Busy { database, reason },
            _ => Fault::Statement { database, sentence: sentence.trim_end_matches('.').to_owned(), reason },
        }
    }

    async fn rows(
        &mut self,
        text: &'static str,
        roles: [&str; 2],
        flag: Option<bool>,
    ) -> Result<Vec<sqlx::postgres::PgRow>, Fault> {
        let mut query = sqlx::query(text).bind(roles[0].to_owned());
        if text.contains("$2::text") || text.contains("rolname = $2") {
            query = query.bind(roles[1].to_owned());
        }
        if let Some(flag) = flag {
            query = query.bind(flag);
        }
        query
            .fetch_all(&mut self.connection)
            .await
            .map_err(|error| self.fault("A look at the catalogues.", &error))
    }

    async fn statements(
        &mut self,
        text: &'static str,
        roles: [&str; 2],
        flag: Option<bool>,
    ) -> Result<Vec<Statement>, Fault> {
        let rows = self.rows(text, roles, flag).await?;
        Ok(rows.iter().map(|row| Statement::new(row.get::<String, _>(0), row.get::<String, _>(1))).collect())
    }

    async fn texts(
        &mut self,
        text: &'static str,
        roles: [&str; 2],
        flag: Option<bool>,
    ) -> Result<Vec<String>, Fault> {
        Ok(self.rows(text, roles, flag).await?.iter().map(|row| row.get(0)).collect())
    }

    /// Whether `role` owns anything here; `shared`: or anything of the whole cluster.
    pub(super) async fn owns(&mut self, role: &str, shared: bool) -> Result<bool, Fault> {
        sqlx::query_scalar(include_str!("owns.sql"))
            .bind(role)
            .bind(shared)
            .fetch_one(&mut self.connection)
            .await
            .map_err(|error| self.fault("A look at what a role owns.", &error))
    }

    /// What a superuser owns here, one by one.
    pub(super) async fn objects(&mut self, from: &str, to: &str) -> Result<Vec<Statement>, Fault> {
        self.statements(include_str!("objects.sql"), [from, to], None).await
    }

    /// Everything but ownership: grants, default privileges, policies and user mappings. `shared` includes what belongs
    /// to the whole cluster; `replace` puts `to` in the place of `from` in policies.
    pub(super) async fn rights(
        &mut self,
        from: &str,
        to: &str,
        shared: bool,
        replace: bool,
    ) -> Result<Vec<Statement>, Fault> {
        let mut all = self.statements(include_str!("grants.sql"), [from, to], Some(shared)).await?;
        all.extend(self.statements(include_str!("default_privileges.sql"), [from, to], None).await?);
        all.extend(self.statements(include_str!("policies.sql"), [from, to], Some(replace)).await?);
        all.extend(self.statements(include_str!("user_mappings.sql"), [from, to], None).await?);
        Ok(all)
    }

    pub(super) async fn memberships(&mut self, from: &str, to: &str) -> Result<Vec<Statement>, Fault> {
        self.statements(include_str!("memberships.sql"), [from, to], None).await
    }

    pub(super) async fn settings(&mut self, from: &str, to: &str) -> Result<Vec<Statement>, Fault> {
        self.statements(include_str!("settings.sql"), [from, to], None).await
    }

    /// The search path that keeps its meaning, and the statement that takes it back.
    pub(super) async fn search_path(
        &mut self,
        from: &str,
        to: &str,
    ) -> Result<Option<(Statement, String)>, Fault> {
        let rows = self.rows(include_str!("search_path.sql"), [from, to], None).await?;
        Ok(rows.first().map(|row| {
            (Statement::new(row.get::<String, _>(0), row.get::<String, _>(1)), row.get::<String, _>(2))
        }))
    }

    pub(super) async fn refused(&mut self, role: &str, administrator: &str) -> Result<Vec<Refusal>, Fault> {
        let rows = self.rows(include_str!("refused.sql"), [role, ""], None).await?;
        let administrator = sql::identifier(administrator);
        Ok(rows
            .iter()
            .map(|row| Refusal {
                what: format!(
                    "{} of database {} belongs to {role}, and its owner must be a superuser",
                    row.get::<String, _>(0),
                    self.database
                ),
                remedy: row.get::<String, _>(1).replace("ADMINISTRATOR", &administrator),
            })
            .collect())
    }

    pub(super) async fn notes(
        &mut self,
        role: &str,
        owner: &str,
        superuser: bool,
    ) -> Result<Vec<String>, Fault> {
        let rows = sqlx::query(include_str!("notes.sql"))
            .bind(role)
            .bind(superuser)
            .bind(owner)
            .fetch_all(&mut self.connection)
            .await
            .map_err(|error| self.fault("A look at expressions.", &error))?;
        Ok(rows
            .iter()
            .map(|row| format!("database {}: {}", self.database, row.get::<String, _>(0)))
            .collect())
    }

    /// Lines of `pg_hba.conf` that let the role in by its name: they know nothing of the slots.
    pub(super) async fn host_based_rules(&mut self, role: &str) -> Result<Vec<String>, Fault> {
        const TEXT: &str = "select format('line %s of pg_hba.conf names %I: name the two slots there, too', line_number, $1::text) \
            from pg_hba_file_rules where $1 = any (user_name) or '+' || $1 = any (user_name)";
        sqlx::query_scalar(TEXT)
            .bind(role)
            .fetch_all(&mut self.connection)
            .await
            .map_err(|error| self.fault("A look at pg_hba.conf.", &error))
    }

    /// What depends on `from` and not on `to`.
    pub(super) async fn missing(&mut self, from: &str, to: &str, shared: bool) -> Result<Vec<String>, Fault> {
        self.texts(include_str!("missing.sql"), [from, to], Some(shared)).await
    }

    /// Every other database where one of the roles owns something or has a right.
    pub(super) async fn databases(&mut self, roles: &[&str]) -> Result<Vec<String>, Fault> {
        const TEXT: &str = "select distinct d.datname::text from pg_shdepend s join pg_database d on d.oid = s.dbid \
            where s.refclassid = 'pg_authid'::regclass and d.datname <> current_database() \
            and s.refobjid in (select oid from pg_roles where rolname = any ($1)) order by 1";
        let roles: Vec<String> = roles.iter().map(|&role| role.to_owned()).collect();
        sqlx::query_scalar(TEXT)
            .bind(roles)
            .fetch_all(&mut self.connection)
            .await
            .map_err(|error| self.fault("A look at which databases know a role.", &error))
    }
}
