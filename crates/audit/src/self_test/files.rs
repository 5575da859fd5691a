//! Databases and repositories in a folder that goes away.

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use secrecy::{ExposeSecret as _, SecretSlice};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::Defect;
use crate::config::Location;
use crate::scan::LiveSecret;
use crate::signing::SigningKey;
use crate::world::random_hex;

/// What a sound database holds: Argon2id with OWASP's least, a salt of its own.
const HASHED: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$q7Yl0s2m8cVtXw4bN1zKhA$Zr0m3Qb8yT5uJ1eWc7nLkX9sVhG2dPfA6oRiEwMxCtU";

/// SHA-1, which is no way to keep a password.
const FAST: &str = "5baa61e4c9b93f3f0682250b6cf8331b7ee68fd8";
/// SQLCipher's page, in bytes.
const PAGE: usize = 4096;
/// The key of every file here.
const KEY: [u8; 32] = [0x5a; 32];

/// It goes when this is dropped.
pub(super) struct Place(PathBuf);

impl Drop for Place {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

impl Place {
    pub(super) fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("portcullis-self-test-{}", random_hex::<8>()));
        std::fs::DirBuilder::new().mode(0o700).create(&path)?;
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    pub(super) fn write(&self, name: &str, text: &str) -> std::io::Result<PathBuf> {
        let path = self.0.join(name);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&path, text)?;
        Ok(path)
    }

    /// A database with one user.
    pub(super) async fn database(&self, defect: Option<Defect>) -> Result<Location, String> {
        let path = self.0.join("users.db");
        let mut options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        if defect != Some(Defect::PlainFile) {
            options = options.pragma("key", pragma());
        }
        let stored = if defect == Some(Defect::PlainPassword) { "correct horse battery" } else { HASHED };
        // A copy of a row as some log keeps it: JSON as a text within JSON.
        let copied = if defect == Some(Defect::WeakHashInJson) { FAST } else { HASHED };
        let copied = serde_json::json!({ "password_hash": copied }).to_string();
        let logged = serde_json::json!({"changes": [{ "before": copied }]}).to_string();
        let mut connection =
            options.disable_statement_logging().connect().await.map_err(|error| error.to_string())?;
        let filled = async {
            sqlx::query("CREATE TABLE users (email TEXT, password TEXT)").execute(&mut connection).await?;
            let insert = sqlx::query("INSERT INTO users VALUES ('ada@example.com', ?)").bind(stored);
            insert.execute(&mut connection).await?;
            sqlx::query("CREATE TABLE log (body TEXT)").execute(&mut connection).await?;
            let insert = sqlx::query("INSERT INTO log VALUES (?)").bind(logged);
            insert.execute(&mut connection).await.map(|_| ())
        };
        filled.await.map_err(|error: sqlx::Error| error.to_string())?;
        connection.close().await.map_err(|error| error.to_string())?;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
            .map_err(|error| error.to_string())?;
        Ok(Location::SqlCipher { path, key: KEY.to_vec().into() })
    }

    /// A copy of a database of several pages, one of which may be damaged; and its key.
    pub(super) async fn backup(&self, defect: Option<Defect>) -> Result<(PathBuf, SecretSlice<u8>), String> {
        let path = self.0.join("backup.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let options = options.pragma("key", pragma()).disable_statement_logging();
        let mut connection = options.connect().await.map_err(|error| error.to_string())?;
        let filled = async {
            sqlx::query("CREATE TABLE users (email TEXT)").execute(&mut connection).await?;
            let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500) \
                        INSERT INTO users SELECT printf('%060d@example.com', i) FROM n";
            sqlx::query(rows).execute(&mut connection).await.map(|_| ())
        };
        filled.await.map_err(|error: sqlx::Error| error.to_string())?;
        connection.close().await.map_err(|error| error.to_string())?;
        if defect == Some(Defect::DamagedBackup) {
            let mut bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
            if let Some(byte) = bytes.get_mut(3 * PAGE + PAGE / 2) {
                *byte = !*byte;
            }
            std::fs::write(&path, bytes).map_err(|error| error.to_string())?;
        }
        Ok((path, KEY.to_vec().into()))
    }

    /// A repository with two commits; what is planted was added by the first and is gone since the second. And the secret
    /// that the server "holds".
    pub(super) fn repository(&self, defect: Option<Defect>) -> Result<(PathBuf, LiveSecret), String> {
        let held = LiveSecret { name: "self-test".into(), value: random_hex::<24>().into_bytes().into() };
        let written = |name: &str, text: &str| {
            self.write(&format!("repository/{name}"), text).map_err(|error| error.to_string())
        };
        written("README.md", "# A backend\n")?;
        let mut planted = Vec::new();
        match defect {
            Some(Defect::LiveSecretInHistory) => {
                let text = String::from_utf8_lossy(held.value.expose_secret()).into_owned();
                planted.push(written("notes.txt", &format!("it was {text} then\n"))?);
            }
            Some(Defect::KeyInHistory | Defect::ShallowClone) => {
                planted.push(written("old.txt", &private_key()?)?)
            }
            Some(Defect::KeyInTree) => {
                written("server.txt", &private_key()?)?;
            }
            _ => {}
        }
        written(
            "Cargo.toml",
            "[package]\nname = \"backend\"\nversion = \"0.1.0\"\n\n[dependencies]\nplanted = \"1\"\n",
        )?;
        written("src/lib.rs", "")?;
        let version = if defect == Some(Defect::UnpatchedDependency) { "1.1.0" } else { "1.2.0" };
        written(
            "Cargo.lock",
            &format!(
                "version = 4\n\n[[package]]\nname = \"backend\"\nversion = \"0.1.0\"\ndependencies = [\"planted\"]\n\n[[package]]\nname = \
                 \"planted\"\nversion = \"{version}\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\nchecksum = \
                 \"{}\"\n",
                "0".repeat(64)
            ),
        )?;
        if defect != Some(Defect::NoUpdateTool) {
            written(
                ".github/dependabot.yml",
                "version: 2\nupdates:\n  - package-ecosystem: cargo\n    directory: /\n    schedule: {interval: weekly}\n",
            )?;
        }
        let folder = self.0.join("repository");
        git(&folder, &["-c", "init.defaultBranch=main", "init", "-q"])?;
        git(&folder, &["add", "-A"])?;
        git(&folder, &["commit", "-q", "-m", "first"])?;
        for file in planted {
            std::fs::remove_file(file).map_err(|error| error.to_string())?;
        }
        written("README.md", "# A backend, better\n")?;
        git(&folder, &["add", "-A"])?;
        git(&folder, &["commit", "-q", "-m", "second"])?;
        if defect == Some(Defect::ShallowClone) {
            let from = format!("file://{}", folder.display());
            git(&self.0, &["clone", "-q", "--depth", "1", &from, "clone"])?;
            return Ok((self.0.join("clone"), held));
        }
        Ok((folder, held))
    }

    /// A database of advisories: one on what is planted, and a young one, so that the database is no old one.
    pub(super) fn advisories(&self) -> std::io::Result<PathBuf> {
        for (id, date, patched) in [
            ("RUSTSEC-2026-9001", "2026-06-01", "\">= 1.2.0\""),
            ("RUSTSEC-2027-9002", "2027-01-14", "\">= 0.0.1\""),
        ] {
            let text = format!(
                "```toml\n[advisory]\nid = \"{id}\"\npackage = \"planted\"\ndate = \"{date}\"\n\n[versions]\npatched = [{patched}]\n```\n# Planted\n"
            );
            self.write(&format!("advisories/crates/planted/{id}.md"), &text)?;
        }
        Ok(self.0.join("advisories"))
    }
}

/// The key as SQLCipher takes it, raw.
fn pragma() -> String {
    let hex: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("\"x'{hex}'\"")
}

/// A private key that nobody ever used, in the form in which they are found in repositories.
fn private_key() -> Result<String, String> {
    let mut seed = [0; 32];
    let hex = random_hex::<32>();
    for (byte, pair) in seed.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let digits = std::str::from_utf8(pair).map_err(|error| error.to_string())?;
        *byte = u8::from_str_radix(digits, 16).map_err(|error| error.to_string())?;
    }
    Ok(SigningKey::file(&seed).to_string())
}

fn git(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("git")
        .arg("-C")
        .arg(folder)
        .args([
            "-c",
            "user.name=self-test",
            "-c",
            "user.email=self-test@example.com",
            "-c",
            "commit.gpgsign=false",
        ])
        .args(["-c", "core.hooksPath=/dev/null", "-c", "protocol.file.allow=always"])
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("git cannot be run: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("git refused").to_owned())
}
