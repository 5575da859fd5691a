//! Taking over the static keys of before, as digests, so that their use can be seen while they are replaced.

use oauth::one_time_secret::Digest;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;
use store::{Insertion, Store};

use super::{Environment, Form, KeyView, NewKey, checked, form};
use crate::Error;
use crate::declared::read_yaml;

/// Shortest foreign key that is taken, in bytes: under a fast hash a shorter one could be guessed from the store.
const SHORTEST: usize = 16;

/// The keys of a file, to import. `Debug` shows none of them.
#[derive(Debug)]
pub struct Imports {
    file: String,
    keys: Vec<Item>,
}

#[derive(Debug)]
struct Item {
    line: u64,
    column: u64,
    name: String,
    key: SecretString,
    scopes: Vec<String>,
    client: Option<String>,
    expires: Option<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    keys: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: Spanned<String>,
    key: Secret,
    scopes: Vec<String>,
    client: Option<String>,
    expires: Option<crate::declared::Duration>,
}

/// A string that becomes secret as it is read.
struct Secret(SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(SecretString::from(text)))
    }
}

/// What became of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportedKey {
    /// What is stored.
    #[serde(flatten)]
    pub view: KeyView,
    /// It was there before; nothing was changed.
    pub already_there: bool,
}

/// Reads a file of keys:
///
/// ```yaml
/// keys:
///   - name: partner-a
///     key: "the key as the partner sends it"
///     scopes: [read:orders]
///     client: CLIENT_ID        # optional
///     expires: 90d             # optional, from the day of the import
/// ```
///
/// # Errors
/// With file, line and column, where it is not of that form.
pub fn read_imports(text: &str, file: &str) -> Result<Imports, Error> {
    let document: Document = read_yaml(text, file)?;
    let mut keys: Vec<Item> = Vec::new();
    for written in document.keys {
        let (line, column) = (written.name.referenced.line(), written.name.referenced.column());
        let refused = |why: &str| Error::Declared {
            file: file.to_owned(),
            line,
            column,
            message: format!("key {}: {why}", written.name.value),
        };
        if written.key.0.expose_secret().len() < SHORTEST {
            return Err(refused(
                "is shorter than 16 characters, which could be guessed from its digest; replace it",
            ));
        }
        if form(written.key.0.expose_secret()) == Form::Broken {
            return Err(refused("begins like one of ours, but its checksum is wrong"));
        }
        let same = |earlier: &&Item| {
            Digest::of(earlier.key.expose_secret()) == Digest::of(written.key.0.expose_secret())
        };
        if let Some(earlier) = keys.iter().find(same) {
            return Err(refused(&format!(
                "is the same key as {}; a shared key says nothing about who uses it, give each its own",
                earlier.name
            )));
        }
        if let Some(earlier) = keys.iter().find(|earlier| earlier.name == written.name.value) {
            return Err(refused(&format!(
                "is the name of the key in line {}, too; give each its own, for keys are revoked by name",
                earlier.line
            )));
        }
        keys.push(Item {
            line,
            column,
            name: written.name.value,
            key: written.key.0,
            scopes: written.scopes,
            client: written.client,
            expires: written.expires.map(|duration| duration.seconds()),
        });
    }
    Ok(Imports { file: file.to_owned(), keys })
}

/// Stores the digests of the keys. A key that is there already is left as it is. `fresh` gives 8 random bytes a key.
///
/// # Errors
/// Where a key has an unknown scope or client, or the name of another living key (with file and line), before anything is
/// stored; or when the store fails.
pub async fn import(
    store: &Store,
    imports: &Imports,
    now: i64,
    fresh: &mut (dyn FnMut() -> [u8; 8] + Send),
) -> Result<Vec<ImportedKey>, Error> {
    let present = store.api_keys().await?;
    let mut rows = Vec::new();
    for item in &imports.keys {
        let at = |message: String| Error::Declared {
            file: imports.file.clone(),
            line: item.line,
            column: item.column,
            message,
        };
        let digest = Digest::of(item.key.expose_secret());
        let namesake = present.iter().find(|key| {
            key.name == item.name && key.revoked_at.is_none() && key.digest.as_slice() != digest.as_bytes()
        });
        if let Some(namesake) = namesake {
            return Err(at(format!(
                "key {}: another key has this name, {}; give each its own, for keys are revoked by name",
                item.name, namesake.id
            )));
        }
        let key = NewKey {
            name: item.name.clone(),
            scopes: item.scopes.clone(),
            client_id: item.client.clone(),
            expires_at: item.expires.map(|seconds| now.saturating_add(seconds)),
            // A foreign key keeps its form; the environment is only for keys that we make.
            environment: Environment::Production,
        };
        let row = checked(store, &key, now, fresh(), digest).await;
        rows.push(row.map_err(|error| if error.is_fault() { error } else { at(error.to_string()) })?);
    }
    let mut done = Vec::new();
    for row in rows {
        let outcome = match store.api_key_by_digest(&row.digest).await? {
            Some(present) => (present, Insertion::AlreadyExists),
            None => {
                store.insert_api_key(&row).await?;
                (row, Insertion::Inserted)
            }
        };
        done.push(ImportedKey {
            view: outcome.0.into(),
            already_there: outcome.1 == Insertion::AlreadyExists,
        });
    }
    Ok(done)
}
