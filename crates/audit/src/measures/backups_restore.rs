//! X7: backups can be restored: the newest copy that `portcullis backup` wrote is young, its key opens it, every page is sound,
//! it holds the store, and nobody else can read it. Controls: a wrong key is refused, and the live store's users are counted
//! beside the copy's. The copy is opened read-only; restoring it stays an exercise for people.

use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;

use crate::config::{Backup, Config, Location, Mode};
use crate::database::copy::{self, CONTENTS, Held, Opened};
use crate::evidence::Evidence;
use crate::measures::claimed::{Claimed, claimed};
use crate::measures::tally::{self, Found};
use crate::report::Claim;
use crate::verdict::Verdict;
use crate::world::World;

/// What it can claim. ASVS 5.0 asks for no backups.
pub(crate) const CLAIMS: &[Claimed] = &[
    claimed(
        "a_backup_is_there_and_young",
        "a copy of the store is there, and no older than a week",
        &[],
        &[],
    ),
    claimed(
        "the_backup_opens",
        "the copy opens with its key and no other, and every page is sound",
        &[],
        &[],
    ),
    claimed("the_backup_holds_the_store", "the copy holds the store's tables and its users", &[], &[]),
    claimed(
        "the_backup_is_encrypted",
        "the copy is ciphertext, and its file is its owner's alone",
        &[],
        &[311, 530, 732],
    ),
];

/// How old a copy may be: every night is the advice, and a week of failed nights is too many.
const YOUNG: i64 = 7 * 86_400;
/// How far the clock of the machine that wrote it may be ahead.
const AHEAD: i64 = 300;
/// Tables that every version of the store has had, with what cannot be made anew.
const TABLES: [&str; 7] = ["users", "clients", "apis", "roles", "signing_keys", "settings", "api_keys"];
/// How an SQLite file begins that is not encrypted.
const PLAIN: &[u8] = b"SQLite format 3";
/// What lies beside a database, or is half written: no copy.
const BESIDE: [&str; 5] = [".partial", ".restoring", "-wal", "-shm", "-journal"];
/// How much of what is wrong is shown.
const SHOWN: usize = 5;

const MAKE: &str = "portcullis backup FILE, then set [audit] backup to it";

pub(crate) async fn claims(world: &World) -> Vec<Claim> {
    judge(&observe(&world.config, world.now).await)
}

/// Why there is no copy to look at.
#[derive(Debug)]
enum Absent {
    /// Nobody said where one is.
    Unset,
    /// Users live elsewhere, and there is no store.
    NoStore,
    /// Nothing is where it should be.
    Gone(String),
    /// The auditor may not look there.
    Unread(String),
}

/// What was seen of a copy.
#[derive(Clone, Debug)]
struct Seen {
    name: String,
    /// Seconds since it was written.
    age: i64,
    mode: u32,
    /// Its first bytes.
    head: Result<Vec<u8>, String>,
    copy: Result<Opened, Closed>,
    /// How many users the live store has.
    live: Result<i64, String>,
}

/// Why a copy did not open.
#[derive(Clone, Debug)]
enum Closed {
    /// The key that is said to be its own does not fit.
    Refused(String),
    /// Nobody gave a key that must fit.
    Unknown(String),
}

async fn observe(config: &Config, now: i64) -> Result<Seen, Absent> {
    let Some(backup) = &config.backup else {
        let nothing = config.store.is_none() && config.mode == Mode::Delegated;
        return Err(if nothing { Absent::NoStore } else { Absent::Unset });
    };
    let (path, metadata) = newest(&backup.path)?;
    let head = head(&path);
    let copy = match &head {
        Ok(_) => open(config, backup, &path).await,
        Err(why) => Err(Closed::Unknown(why.clone())),
    };
    let live = match &config.store {
        Some(store) => copy::users_of(store).await,
        None => Err("there is no store here to compare it with".into()),
    };
    Ok(Seen {
        name: path.display().to_string(),
        age: now.saturating_sub(metadata.mtime()),
        mode: metadata.permissions().mode() & 0o777,
        head,
        copy,
        live,
    })
}

/// The file itself, or the newest of a folder.
fn newest(place: &Path) -> Result<(PathBuf, Metadata), Absent> {
    let absent = |error: std::io::Error| {
        let why = format!("{}: {error}", place.display());
        if error.kind() == std::io::ErrorKind::NotFound { Absent::Gone(why) } else { Absent::Unread(why) }
    };
    let metadata = std::fs::metadata(place).map_err(absent)?;
    if !metadata.is_dir() {
        return Ok((place.to_owned(), metadata));
    }
    let mut newest: Option<(PathBuf, Metadata)> = None;
    for entry in std::fs::read_dir(place).map_err(absent)? {
        let entry = entry.map_err(absent)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') || BESIDE.iter().any(|end| name.ends_with(end)) {
            continue;
        }
        // What went meanwhile is no copy any more.
        let Ok(metadata) = std::fs::metadata(entry.path()) else { continue };
        let written = |metadata: &Metadata| (metadata.mtime(), metadata.mtime_nsec());
        if metadata.is_file() && newest.as_ref().is_none_or(|(_, other)| written(other) < written(&metadata))
        {
            newest = Some((entry.path(), metadata));
        }
    }
    newest.ok_or_else(|| Absent::Gone(format!("no file is in {}", place.display())))
}

/// Its first 16 bytes, or as many as there are.
fn head(path: &Path) -> Result<Vec<u8>, String> {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(16).read_to_end(&mut bytes))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(bytes)
}

async fn open(config: &Config, backup: &Backup, path: &Path) -> Result<Opened, Closed> {
    // `portcullis backup` takes the store's key where none is named. It may have been changed since.
    let (key, named) = match (&backup.key, &config.store) {
        (Some(key), _) => (key, true),
        (None, Some(Location::SqlCipher { key, .. })) => (key, false),
        (None, _) => return Err(Closed::Unknown("there is no key to open it with".into())),
    };
    copy::look(path, key.expose_secret()).await.map_err(|why| {
        if named {
            Closed::Refused(format!("{} does not open with its key: {why}", path.display()))
        } else {
            Closed::Unknown(format!("{} does not open with the store's key: {why}", path.display()))
        }
    })
}

fn judge(seen: &Result<Seen, Absent>) -> Vec<Claim> {
    match seen {
        Ok(seen) => vec![young(seen), opens(seen), holds(seen), encrypted(seen)],
        Err(absent) => (0..CLAIMS.len()).map(|at| without(at, absent)).collect(),
    }
}

/// One claim where there is no copy to look at.
fn without(at: usize, absent: &Absent) -> Claim {
    match absent {
        Absent::Unset => {
            let evidence = Evidence::configuration("nothing says where a copy of the store is");
            claim(at, vec![Found::Unclear(evidence)], MAKE)
        }
        Absent::NoStore => {
            tally::claim(CLAIMS[at].id, [], "users live elsewhere, and there is no store to copy", "")
        }
        // That it is not there is seen; what it would be like is not.
        Absent::Gone(why) => {
            let evidence = Evidence::file(why.clone());
            let found = if at == 0 { Found::Bad(evidence) } else { Found::Unclear(evidence) };
            claim(at, vec![found], MAKE)
        }
        Absent::Unread(why) => {
            let remedy = "run the audit where the copy is, and as a user who may read it";
            claim(at, vec![Found::Unclear(Evidence::file(why.clone()))], remedy)
        }
    }
}

/// As [`tally::claim`], but what is open has the remedy, too.
fn claim(at: usize, found: Vec<Found>, remedy: &str) -> Claim {
    let mut claim = tally::claim(CLAIMS[at].id, found, "nothing", remedy);
    if claim.verdict == Verdict::NotProven {
        claim.remedy = remedy.to_owned();
    }
    claim
}

fn young(seen: &Seen) -> Claim {
    let (hours, name) = (seen.age.div_euclid(3600), &seen.name);
    let found = if seen.age < -AHEAD {
        Found::Unclear(Evidence::file(format!("{name} is dated in the future: its age is not known")))
    } else {
        Found::when(seen.age <= YOUNG, Evidence::file(format!("{name} was written {} h ago", hours.max(0))))
    };
    claim(0, vec![found], "portcullis backup FILE every night, by a timer or a job")
}

fn opens(seen: &Seen) -> Claim {
    let opened = match &seen.copy {
        Ok(opened) => opened,
        Err(Closed::Refused(why)) => {
            let remedy =
                "find the key that it was made with, or make another: portcullis backup FILE --key-file KEY";
            return claim(1, vec![Found::Bad(Evidence::file(why.clone()))], remedy);
        }
        Err(Closed::Unknown(why)) => {
            let remedy = "set [audit] backup_key_file to the key that it was made with";
            return claim(1, vec![Found::Unclear(Evidence::file(why.clone()))], remedy);
        }
    };
    let name = &seen.name;
    let Some(refused) = &opened.wrong_key else {
        let evidence = Evidence::file(format!("{name} opens with a wrong key, too"));
        return claim(1, vec![Found::Bad(evidence)], "write it with portcullis backup FILE");
    };
    let control = format!("a wrong key was refused: {refused}");
    let found = if opened.damage.is_empty() {
        let what =
            format!("{name} opens read-only with its key, and both integrity checks of all pages are clean");
        Found::Good(Evidence::file(what).beside(control))
    } else {
        let what = format!("{name} is damaged: {}", some(&opened.damage));
        Found::Bad(Evidence::file(what).beside(control))
    };
    claim(1, vec![found], "use another copy, and make a new one: portcullis backup FILE")
}

fn holds(seen: &Seen) -> Claim {
    let held = match &seen.copy {
        Ok(opened) => opened.held.as_ref().map_err(|why| format!("{} cannot be read: {why}", seen.name)),
        Err(Closed::Refused(why) | Closed::Unknown(why)) => Err(why.clone()),
    };
    let found = match held {
        Ok(held) => [tables(held), users(held, seen.live.as_ref())].into_iter().flatten().collect(),
        Err(why) => vec![Found::Unclear(Evidence::file(why))],
    };
    claim(
        2,
        found,
        "make another copy: portcullis backup FILE; and see that [store] is the same there and here",
    )
}

/// Whether everything is there that a restore wants.
fn tables(held: &Held) -> Vec<Found> {
    let mut found = Vec::new();
    if !held.is_copy {
        let what = "it does not say that it is a copy of a store: portcullis restore refuses it";
        found.push(Found::Bad(Evidence::database(what)));
    }
    let missing: Vec<String> = TABLES
        .iter()
        .chain([&CONTENTS])
        .filter(|name| !held.tables.contains_key(**name))
        .map(|name| (*name).to_owned())
        .collect();
    if !missing.is_empty() {
        found.push(Found::Bad(Evidence::database(format!("it has no table {}", some(&missing)))));
    }
    let other: Vec<String> = held
        .listed
        .iter()
        .filter(|(name, rows)| held.tables.get(*name) != Some(*rows))
        .map(|(name, rows)| {
            let now = held.tables.get(name).map_or_else(|| "no table".to_owned(), i64::to_string);
            format!("{name} had {rows} rows and has {now}")
        })
        .collect();
    if !other.is_empty() {
        found.push(Found::Bad(Evidence::database(format!("it is not as it was written: {}", some(&other)))));
    }
    if held.listed.is_empty() {
        found.push(Found::Bad(Evidence::database("its list of what it holds is empty")));
    }
    if found.is_empty() {
        let what = format!("{} tables, with as many rows as its own list says", held.listed.len());
        found.push(Found::Good(Evidence::database(what)));
    }
    found
}

/// A copy of another store, or of an empty one, has too few users. Not all: some signed up since.
fn users(held: &Held, live: Result<&i64, &String>) -> Vec<Found> {
    vec![match live {
        Ok(live) => {
            let enough = held.users.saturating_mul(2) >= *live && (held.users > 0 || *live == 0);
            let what = format!("{} users in the copy, {live} in the live store", held.users);
            Found::when(enough, Evidence::database(what))
        }
        Err(why) => {
            let what =
                format!("{} users in the copy; those of the live store were not counted: {why}", held.users);
            Found::Unclear(Evidence::database(what))
        }
    }]
}

fn encrypted(seen: &Seen) -> Claim {
    let name = &seen.name;
    let ciphertext = match &seen.head {
        Err(why) => Found::Unclear(Evidence::file(why.clone())),
        Ok(head) if head.starts_with(PLAIN) => {
            Found::Bad(Evidence::file(format!("{name} begins with \"SQLite format 3\": it is in clear")))
        }
        Ok(head) if head.len() < 16 => {
            Found::Unclear(Evidence::file(format!("{name} is {} bytes long", head.len())))
        }
        Ok(_) => Found::Good(Evidence::file(format!("the first 16 bytes of {name} are no SQLite header"))),
    };
    let mode = Evidence::file(format!("{name} has mode {:04o}", seen.mode));
    let remedy = "write it with portcullis backup FILE, which encrypts it, and chmod 600 it";
    claim(3, vec![ciphertext, Found::when(seen.mode & 0o077 == 0, mode)], remedy)
}

/// The first few, and how many more.
fn some(what: &[String]) -> String {
    let shown = what.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match what.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown}; and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use sqlx::sqlite::SqliteConnectOptions;
    use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, SqliteConnection};

    use super::*;
    use crate::verdict::Verdict::{Fail, NotApplicable, NotProven, Pass};

    const KEY: [u8; 32] = [0x5a; 32];
    const OTHER: [u8; 32] = [0x33; 32];
    const HOUR: i64 = 3600;

    /// A folder with a store of four users and a copy of it, real SQLCipher files.
    struct Place {
        folder: tempfile::TempDir,
        config: Config,
        now: i64,
    }

    async fn create(path: &Path, key: Option<[u8; 32]>) -> SqliteConnection {
        let mut options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        if let Some(key) = key {
            let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
            options = options.pragma("key", format!("\"x'{hex}'\""));
        }
        options.disable_statement_logging().connect().await.unwrap()
    }

    async fn run(connection: &mut SqliteConnection, sql: String) {
        sqlx::query(AssertSqlSafe(sql)).execute(connection).await.unwrap();
    }

    /// A store with so many users, and one of a run of the audit.
    async fn fill(connection: &mut SqliteConnection, users: usize) {
        for table in TABLES {
            run(connection, format!("CREATE TABLE {table} (id text PRIMARY KEY, email text)")).await;
        }
        run(connection, "INSERT INTO users VALUES ('u', 'audit-0a1b@example.com')".into()).await;
        for user in 0..users {
            run(connection, format!("INSERT INTO users VALUES ('usr_{user}', 'u{user}@example.org')")).await;
        }
    }

    /// A copy with so many users, written now.
    async fn copy(path: &Path, key: Option<[u8; 32]>, users: usize) {
        let mut connection = create(path, key).await;
        fill(&mut connection, users).await;
        run(&mut connection, "PRAGMA application_id = 1886351988".into()).await;
        run(
            &mut connection,
            "CREATE TABLE backup_contents (name text PRIMARY KEY, rows integer NOT NULL, digest text NOT NULL)"
                .into(),
        )
        .await;
        for table in TABLES {
            let sql = format!("INSERT INTO backup_contents SELECT '{table}', count(*), '' FROM {table}");
            run(&mut connection, sql).await;
        }
        connection.close().await.unwrap();
        chmod(path, 0o600);
    }

    fn chmod(path: &Path, mode: u32) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    impl Place {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let store = folder.path().join("store.db");
            let mut connection = create(&store, Some(KEY)).await;
            fill(&mut connection, 4).await;
            connection.close().await.unwrap();
            let backups = folder.path().join("backups");
            std::fs::create_dir(&backups).unwrap();
            let path = backups.join("copy.db");
            copy(&path, Some(OTHER), 4).await;
            let now = std::fs::metadata(&path).unwrap().mtime() + HOUR;
            let mut config = Config::new("http://127.0.0.1:9", "http://127.0.0.1:9/", "a", Arc::new(|| 0));
            config.store = Some(Location::SqlCipher { path: store, key: KEY.to_vec().into() });
            config.backup = Some(Backup { path, key: Some(OTHER.to_vec().into()) });
            Self { folder, config, now }
        }

        fn backup(&mut self) -> &mut Backup {
            self.config.backup.as_mut().unwrap()
        }

        fn path(&self) -> PathBuf {
            self.folder.path().join("backups/copy.db")
        }

        async fn claims(&self) -> Vec<Claim> {
            judge(&observe(&self.config, self.now).await)
        }

        async fn verdicts(&self) -> Vec<Verdict> {
            self.claims().await.iter().map(|claim| claim.verdict).collect()
        }

        /// By the copy's own key, behind whatever it says of itself.
        async fn change(&self, sql: &str) {
            let mut connection = create(&self.path(), Some(OTHER)).await;
            run(&mut connection, sql.to_owned()).await;
            connection.close().await.unwrap();
        }

        /// One bit of a page.
        fn flip(&self, page: usize) {
            let mut bytes = std::fs::read(self.path()).unwrap();
            bytes[page * 4096 + 1000] ^= 1;
            std::fs::write(self.path(), bytes).unwrap();
        }
    }

    #[tokio::test]
    async fn a_sound_backup_passes_as_a_file_and_as_the_newest_of_a_folder() {
        let mut place = Place::new().await;
        let claims = place.claims().await;
        let verdicts: Vec<_> = claims.iter().map(|claim| claim.verdict).collect();
        assert_eq!(verdicts, [Pass; 4], "{claims:#?}");
        let told = format!("{claims:?}");
        for said in [
            "written 1 h ago",
            "4 users in the copy, 4 in the live store",
            "mode 0600",
            "wrong key was refused",
        ] {
            assert!(told.contains(said), "{said}: {told}");
        }
        assert!(!told.contains("33333333"), "the key is not told");

        place.backup().path = place.folder.path().join("backups");
        // Older, half written, or of the system: none is the copy.
        let old = place.folder.path().join("backups/old.db");
        std::fs::write(&old, "nothing").unwrap();
        let long_ago = std::fs::metadata(place.path()).unwrap().modified().unwrap()
            - std::time::Duration::from_secs(86_400);
        std::fs::File::options().write(true).open(&old).unwrap().set_modified(long_ago).unwrap();
        for name in ["next.db.partial", "next.db.partial-wal", ".hidden"] {
            std::fs::write(place.folder.path().join("backups").join(name), "half").unwrap();
        }
        std::fs::create_dir(place.folder.path().join("backups/folder")).unwrap();
        assert_eq!(place.verdicts().await, [Pass; 4]);

        let before = std::fs::read(place.path()).unwrap();
        place.verdicts().await;
        assert_eq!(std::fs::read(place.path()).unwrap(), before, "the copy is as it was");
    }

    #[tokio::test]
    async fn each_thing_that_a_backup_lacks_is_seen() {
        let mut place = Place::new().await;
        place.now += 7 * 24 * HOUR;
        assert_eq!(place.verdicts().await, [Fail, Pass, Pass, Pass], "a week and an hour old");
        place.now -= HOUR;
        assert_eq!(place.verdicts().await, [Pass; 4], "a week old");

        chmod(&place.path(), 0o640);
        assert_eq!(place.verdicts().await, [Pass, Pass, Pass, Fail], "others may read it");
        chmod(&place.path(), 0o600);

        place.backup().key = Some(KEY.to_vec().into());
        assert_eq!(place.verdicts().await, [Pass, Fail, NotProven, Pass], "another key");

        let place = Place::new().await;
        place.flip(3);
        assert_eq!(place.verdicts().await[1], Fail, "a damaged page");
        place.flip(3);
        assert_eq!(place.verdicts().await, [Pass; 4], "it is mended");
        let bytes = std::fs::read(place.path()).unwrap();
        std::fs::write(place.path(), &bytes[..bytes.len() - 4096]).unwrap();
        assert_eq!(place.verdicts().await[1], Fail, "cut short");
        std::fs::write(place.path(), "").unwrap();
        assert_eq!(place.verdicts().await, [Pass, Fail, Fail, NotProven], "empty");
        std::fs::remove_file(place.path()).unwrap();
        assert_eq!(place.verdicts().await, [Fail, NotProven, NotProven, NotProven], "gone");

        let place = Place::new().await;
        std::fs::remove_file(place.path()).unwrap();
        copy(&place.path(), None, 4).await;
        assert_eq!(place.verdicts().await, [Pass, Fail, NotProven, Fail], "in clear");
    }

    #[tokio::test]
    async fn a_copy_without_the_store_in_it_is_seen() {
        for (sql, why) in [
            ("DROP TABLE signing_keys", "a table is gone"),
            ("DROP TABLE backup_contents", "no list of contents"),
            ("DELETE FROM backup_contents", "an empty list of contents"),
            ("INSERT INTO clients VALUES ('c', '')", "not as it was written"),
            ("PRAGMA application_id = 0", "restore refuses it"),
        ] {
            let place = Place::new().await;
            place.change(sql).await;
            assert_eq!(place.verdicts().await, [Pass, Pass, Fail, Pass], "{why}");
        }
        for (users, verdict) in [(0, Fail), (1, Fail), (2, Pass), (9, Pass)] {
            let place = Place::new().await;
            std::fs::remove_file(place.path()).unwrap();
            copy(&place.path(), Some(OTHER), users).await;
            assert_eq!(place.verdicts().await, [Pass, Pass, verdict, Pass], "{users} of 4 users");
        }
    }

    #[tokio::test]
    async fn without_a_control_or_a_configuration_nothing_is_proven() {
        let mut place = Place::new().await;
        place.now -= 2 * HOUR;
        assert_eq!(place.verdicts().await, [NotProven, Pass, Pass, Pass], "dated in the future");
        place.now += 2 * HOUR;
        // The store's key is tried where none is named; it need not be the copy's.
        place.backup().key = None;
        assert_eq!(
            place.verdicts().await,
            [Pass, NotProven, NotProven, Pass],
            "a copy with a key of its own"
        );
        std::fs::remove_file(place.path()).unwrap();
        copy(&place.path(), Some(KEY), 4).await;
        assert_eq!(place.verdicts().await, [Pass; 4], "the store's key");
        place.backup().key = Some(KEY.to_vec().into());
        place.config.store = None;
        assert_eq!(place.verdicts().await, [Pass, Pass, NotProven, Pass], "no store to compare with");

        place.config.backup = None;
        let claims = place.claims().await;
        assert_eq!(claims.len(), CLAIMS.len());
        for claim in claims {
            assert_eq!(claim.verdict, NotProven);
            assert_eq!(claim.remedy, "portcullis backup FILE, then set [audit] backup to it");
        }
        place.config.mode = Mode::Delegated;
        assert_eq!(place.verdicts().await, [NotApplicable; 4], "there is nothing to copy");
    }
}
