//! A cluster of the test's own, an adopted database in it, and a steward whose journal lies in an encrypted file.

use std::path::PathBuf;
use std::sync::Arc;

use secrecy::{ExposeSecret as _, SecretSlice, SecretString};
use steward::adopt;
use steward::delivery::Place;
use steward::rotation::{Clock, Database, Fresh, Report, Rotated};
use steward::{Credential, Steward, connect};
use store::{Location, Seal, Store};
use testkit::postgres::{self, Postgres, SUPERUSER};
use testkit::seed::Seed;

/// What a test may change before the steward is made.
pub type Change = fn(&mut Database);

pub struct World {
    pub server: Postgres,
    pub database: postgres::Database,
    pub folder: tempfile::TempDir,
    pub store: Store,
    pub steward: Steward,
    pub settings: Database,
}

/// Seconds of the machine's clock, which is the database's, too.
#[expect(clippy::disallowed_methods, reason = "a real server's clock is compared with it")]
pub fn real_time() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap()
}

pub fn clock() -> Clock {
    Arc::new(real_time)
}

/// Bytes that no two processes of a test share.
pub fn fresh() -> Fresh {
    use std::hash::{BuildHasher as _, Hasher as _};
    let seed = Seed::new(std::collections::hash_map::RandomState::new().build_hasher().finish());
    Arc::new(move |bytes| {
        seed.fill(bytes);
        Ok(())
    })
}

pub fn seal() -> Arc<Seal> {
    Arc::new(Seal::new(&SecretSlice::from(vec![7; 32])).unwrap())
}

impl World {
    pub async fn new() -> Self {
        Self::with(&postgres::Options::default(), |_| {}).await
    }

    pub async fn with(options: &postgres::Options, change: Change) -> Self {
        let world = Self::unadopted(options, change).await;
        world.adopt().await;
        world
    }

    pub async fn unadopted(options: &postgres::Options, change: Change) -> Self {
        let server = Postgres::start_with(options);
        let database = server.fresh_database();
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Location::SqlCipher {
            path: folder.path().join("store.db"),
            key: SecretSlice::from(vec![1; 32]),
        })
        .await
        .unwrap();
        let mut settings = settings(&database, folder.path().join("secret.json"));
        change(&mut settings);
        let steward = Steward::new(store.clone(), seal(), vec![settings.clone()], clock(), fresh());
        Self { server, database, folder, store, steward, settings }
    }

    pub async fn adopt(&self) {
        let (administrator, today) = (self.administrator(), self.today());
        // A table of the application's, so that there is something to own.
        self.sql_as(&today, "create table public.orders (id bigint generated always as identity, word text)")
            .await;
        let plan = adopt::plan(&administrator, &today, &adopt::Options::default()).await.unwrap();
        adopt::apply(&administrator, &plan).await.unwrap();
    }

    /// Another steward on the same journal, as a restarted process has it.
    pub fn another(&self) -> Steward {
        Steward::new(self.store.clone(), seal(), vec![self.settings.clone()], clock(), fresh())
    }

    pub fn today(&self) -> Credential {
        Credential::from_url(&self.database.url_with_password(), None).unwrap()
    }

    pub fn administrator(&self) -> Credential {
        let url = self.server.url_with_password(&self.database.name);
        Credential::from_url(&url, None).unwrap()
    }

    pub fn role(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.database.owner)
    }

    pub fn secret_file(&self) -> PathBuf {
        self.folder.path().join("secret.json")
    }

    /// What stands in the file that the application reads.
    pub fn delivered(&self) -> Credential {
        Credential::from_json(&std::fs::read_to_string(self.secret_file()).unwrap()).unwrap()
    }

    pub async fn rotate(&self) -> Report {
        finished(self.steward.rotate("backend", true, &|_| {}).await.unwrap())
    }

    pub async fn sql_as(&self, credential: &Credential, text: &'static str) {
        let mut session = connect::login(credential).await.unwrap();
        sqlx::raw_sql(text).execute(&mut session).await.unwrap();
        connect::logout(session).await;
    }

    /// As the superuser, by psql.
    pub fn sql(&self, text: &str) -> String {
        self.server.run_sql(&self.database.name, text)
    }
}

pub fn settings(database: &postgres::Database, secret: PathBuf) -> Database {
    let mut settings = Database::new("backend", database.url());
    settings.password = Some(SecretString::from(database.password.clone()));
    settings.secret = Some(Place::File(secret));
    // Nobody has a session in most tests, and nobody waits for hours.
    (settings.grace, settings.quiet) = (0, 0);
    settings
}

/// The administrator's URL in a file, as an operator leaves it.
pub fn with_administrator(world: &mut World) -> PathBuf {
    let file = world.folder.path().join("administrator.url");
    let url = world.server.url_with_password("postgres");
    std::fs::write(&file, format!("{url}\n")).unwrap();
    world.settings.administrator = Some(SecretString::from(url));
    world.settings.administrator_file = Some(file.clone());
    world.steward = world.another();
    file
}

pub fn finished(rotated: Rotated) -> Report {
    match rotated {
        Rotated::Finished { report: Some(report), .. } => *report,
        other => panic!("{other:?}"),
    }
}

/// Whether it logs in; a server that does not answer fails the test.
pub async fn logs_in(credential: &Credential) -> bool {
    match connect::login(credential).await {
        Ok(session) => {
            connect::logout(session).await;
            true
        }
        Err(connect::LoginFault::Refused { .. }) => false,
        Err(fault) => panic!("{}: {fault}", credential.url()),
    }
}

pub fn superuser(world: &World, password: &str) -> Credential {
    Credential {
        username: SUPERUSER.to_owned(),
        password: SecretString::from(password.to_owned()),
        ..world.administrator()
    }
}

/// Whether a text contains the password as it is or as a URL writes it.
pub fn contains(text: &str, credential: &Credential) -> bool {
    text.contains(credential.password.expose_secret())
}

/// A session of an application: the steward's own, by their name, are not counted as anybody's.
pub async fn application(credential: &Credential) -> Result<sqlx::PgConnection, sqlx::Error> {
    use sqlx::Connection as _;
    sqlx::PgConnection::connect(credential.url_with_password().expose_secret()).await
}
