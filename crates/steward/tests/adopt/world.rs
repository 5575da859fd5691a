//! A cluster with an application's database, and what its catalogues say.

use std::process::Command;

use secrecy::SecretString;
use sqlx::{AssertSqlSafe, PgConnection};
use steward::{Credential, connect};
use testkit::postgres::{Database, Options, Postgres, SUPERUSER, Version};

pub struct World {
    pub server: Postgres,
    pub database: Database,
}

impl World {
    /// A database with one of everything.
    pub fn rich(version: Version) -> Self {
        let world = Self::empty(version);
        let sql = include_str!("rich.sql")
            .replace("APP", &world.database.owner)
            .replace("HOME", &world.database.name);
        world.server.run_sql(&world.database.name, &sql);
        world
    }

    pub fn empty(version: Version) -> Self {
        let options = Options { version, ..Options::default() }.that_logs_everything();
        let server = Postgres::start_with(&options);
        let database = server.fresh_database();
        Self { server, database }
    }

    pub fn credential(&self, role: &str, password: &str) -> Credential {
        Credential {
            username: role.to_owned(),
            password: SecretString::from(password.to_owned()),
            host: "127.0.0.1".into(),
            port: self.database.port,
            database: self.database.name.clone(),
            parameters: String::new(),
            generation: 0,
        }
    }

    pub fn today(&self) -> Credential {
        self.credential(&self.database.owner, &self.database.password)
    }

    pub fn administrator(&self) -> Credential {
        self.credential(SUPERUSER, self.server.superuser_password())
    }

    pub async fn session(&self, credential: &Credential) -> PgConnection {
        connect::login(credential).await.unwrap_or_else(|fault| panic!("{}: {fault}", credential.username))
    }

    pub fn sql(&self, sql: &str) -> String {
        self.server.run_sql(&self.database.name, sql)
    }

    /// `pg_dump --schema-only`, without the line that is another one each time.
    pub fn dump(&self, database: &str) -> String {
        let output = Command::new("pg_dump")
            .args(["--schema-only", "--host=127.0.0.1", &format!("--port={}", self.database.port)])
            .args(["--username", SUPERUSER, "--dbname", database])
            .env("PGPASSWORD", self.server.superuser_password())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        let lines =
            text.lines().filter(|line| !line.starts_with("\\restrict") && !line.starts_with("\\unrestrict"));
        lines.collect::<Vec<_>>().join("\n")
    }

    /// Every owner, privilege list, policy and default privilege, on any version.
    pub fn catalogue(&self, database: &str) -> String {
        self.server.run_sql(database, include_str!("catalogue.sql"))
    }

    /// Roles with their attributes, memberships and settings.
    pub fn roles(&self) -> String {
        self.server.run_sql("postgres", include_str!("roles.sql"))
    }

    /// What a role may do, object by object.
    pub fn rights(&self, role: &str) -> Vec<String> {
        let rows = self.sql(&include_str!("rights.sql").replace("ROLE", role));
        rows.lines().map(str::to_owned).collect()
    }
}

pub async fn run(connection: &mut PgConnection, sql: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(connection).await.map(|_| ())
}

pub async fn text(connection: &mut PgConnection, sql: &str) -> String {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(connection).await.unwrap()
}
