//! Where secrets come from: a file of their own, the environment, or a systemd credential. Never the
//! configuration itself, which is copied, mailed and committed.

use super::ConfigError;
use secrecy::{SecretSlice, SecretString};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// `"env:NAME"` or `"credential:NAME"`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretReference {
    /// A variable of the environment.
    Environment(String),
    /// A file in the folder that systemd names in `CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// What a literal secret is told.
pub const NOT_HERE: &str = "a secret does not stand in the configuration: write \"env:NAME\", \"credential:NAME\", \
                            or use the key ending in _file with a path";

impl<'de> Deserialize<'de> for SecretReference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The text is not repeated: it may be the secret.
        Self::parse(&String::deserialize(deserializer)?).ok_or_else(|| D::Error::custom(NOT_HERE))
    }
}

impl SecretReference {
    /// Reads `env:NAME` and `credential:NAME`; all else is none.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            Some(("env", name)) if !name.is_empty() => Some(SecretReference::Environment(name.to_owned())),
            Some(("credential", name)) if !name.is_empty() && !name.contains('/') => {
                Some(SecretReference::Credential(name.to_owned()))
            }
            _ => None,
        }
    }
}

/// What a lax file mode means: a warning in development, a refusal elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaxMode {
    /// Say so and go on.
    Warn,
    /// Do not start.
    Refuse,
}

/// Resolves references to secrets.
pub struct Secrets<'a> {
    /// The environment.
    pub environment: &'a BTreeMap<String, String>,
    /// What a file that others may read means.
    pub lax_mode: LaxMode,
    /// Where what was noticed and is no reason to stop is kept.
    pub noticed: &'a Mutex<Vec<String>>,
}

impl Secrets<'_> {
    /// The bytes of the secret `name`, from exactly one of the two places.
    pub fn bytes(
        &mut self,
        name: &str,
        file: Option<&Path>,
        reference: Option<&SecretReference>,
    ) -> Result<Option<SecretSlice<u8>>, ConfigError> {
        match (file, reference) {
            (None, None) => Ok(None),
            (Some(_), Some(_)) => {
                Err(ConfigError::Invalid(format!("{name} and {name}_file are both set; keep one")))
            }
            (Some(path), None) => self.file(name, path).map(Some),
            (None, Some(SecretReference::Environment(variable))) => match self.environment.get(variable) {
                Some(value) if !value.is_empty() => Ok(Some(value.clone().into_bytes().into())),
                _ => Err(ConfigError::Invalid(format!(
                    "{name} = \"env:{variable}\", but {variable} is not set"
                ))),
            },
            (None, Some(SecretReference::Credential(credential))) => {
                let folder = self.environment.get("CREDENTIALS_DIRECTORY").ok_or_else(|| {
                    ConfigError::Invalid(format!(
                        "{name} = \"credential:{credential}\", but CREDENTIALS_DIRECTORY is not set: \
                         start it by systemd with LoadCredential={credential}:PATH"
                    ))
                })?;
                let path = PathBuf::from(folder).join(credential);
                std::fs::read(&path).map(|bytes| Some(bytes.into())).map_err(|error| {
                    ConfigError::Invalid(format!("{name}: cannot read {}: {error}", path.display()))
                })
            }
        }
    }

    /// The text of the secret `name`; the end of line that editors add is not part of it.
    pub fn text(
        &mut self,
        name: &str,
        file: Option<&Path>,
        reference: Option<&SecretReference>,
    ) -> Result<Option<SecretString>, ConfigError> {
        use secrecy::ExposeSecret as _;
        let Some(bytes) = self.bytes(name, file, reference)? else { return Ok(None) };
        let text = std::str::from_utf8(bytes.expose_secret())
            .map_err(|_| ConfigError::Invalid(format!("{name} is not UTF-8 text")))?;
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            return Err(ConfigError::Invalid(format!("{name} is empty")));
        }
        Ok(Some(SecretString::from(text)))
    }

    /// A 256-bit key: 32 bytes as they are, or 64 hexadecimal digits.
    pub fn key(
        &mut self,
        name: &str,
        file: Option<&Path>,
        reference: Option<&SecretReference>,
    ) -> Result<Option<SecretSlice<u8>>, ConfigError> {
        use secrecy::ExposeSecret as _;
        let Some(bytes) = self.bytes(name, file, reference)? else { return Ok(None) };
        let raw = bytes.expose_secret();
        if raw.len() == 32 {
            return Ok(Some(bytes));
        }
        decode_hex(raw.trim_ascii_end()).map(|key| Some(key.into())).ok_or_else(|| {
            ConfigError::Invalid(format!(
                "{name} must hold 32 bytes or 64 hexadecimal digits, and holds {} bytes; make one with \
                 `(umask 077; head -c 32 /dev/urandom > FILE)`",
                raw.len()
            ))
        })
    }

    fn file(&mut self, name: &str, path: &Path) -> Result<SecretSlice<u8>, ConfigError> {
        let unreadable = |error: std::io::Error| {
            ConfigError::Invalid(format!("{name}_file: cannot read {}: {error}", path.display()))
        };
        let mode = std::fs::metadata(path).map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let text = format!(
                "{name}_file: {} may be read by others (mode {mode:04o}); run `chmod 600 {}`",
                path.display(),
                path.display()
            );
            match self.lax_mode {
                LaxMode::Refuse => return Err(ConfigError::Invalid(text)),
                LaxMode::Warn => {
                    let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
                    if !noticed.contains(&text) {
                        noticed.push(text);
                    }
                }
            }
        }
        std::fs::read(path).map(Into::into).map_err(unreadable)
    }
}

fn decode_hex(digits: &[u8]) -> Option<Vec<u8>> {
    if digits.len() != 64 {
        return None;
    }
    digits.chunks_exact(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret as _;

    #[derive(Deserialize, Debug)]
    struct Holder {
        #[expect(dead_code, reason = "only whether it parses is looked at")]
        password: SecretReference,
    }

    #[test]
    fn a_literal_is_refused_and_not_repeated() {
        for literal in ["hunter2", "env:", "credential:", "credential:../x", "file:/etc/x"] {
            let error =
                toml::from_str::<Holder>(&format!("password = \"{literal}\"")).unwrap_err().to_string();
            let message = error.lines().last().unwrap();
            assert!(message.contains("does not stand in the configuration"), "{error}");
            assert!(!message.contains("hunter2"));
        }
        assert!(toml::from_str::<Holder>("password = \"env:DB\"").is_ok());
    }

    fn with_file(mode: u32, content: &[u8], run: impl FnOnce(&Path)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, content).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        run(&path);
    }

    #[test]
    fn a_file_that_others_may_read_is_refused_or_warned_of() {
        let environment = BTreeMap::new();
        with_file(0o644, b"s", |path| {
            let noticed = Mutex::default();
            let mut refusing =
                Secrets { environment: &environment, lax_mode: LaxMode::Refuse, noticed: &noticed };
            let error = refusing.bytes("password", Some(path), None).unwrap_err().to_string();
            assert!(error.contains("0644") && error.contains("chmod 600"), "{error}");
            let noticed = Mutex::default();
            let mut warning =
                Secrets { environment: &environment, lax_mode: LaxMode::Warn, noticed: &noticed };
            warning.bytes("password", Some(path), None).unwrap();
            warning.bytes("password", Some(path), None).unwrap();
            assert_eq!(noticed.into_inner().unwrap().len(), 1, "said once");
        });
    }

    #[test]
    fn keys_are_32_bytes_or_64_digits() {
        let environment = BTreeMap::new();
        let noticed = Mutex::default();
        let mut secrets = Secrets { environment: &environment, lax_mode: LaxMode::Refuse, noticed: &noticed };
        with_file(0o600, &[7; 32], |path| {
            assert_eq!(secrets.key("key", Some(path), None).unwrap().unwrap().expose_secret(), &[7; 32]);
        });
        with_file(0o600, format!("{}\n", "0a".repeat(32)).as_bytes(), |path| {
            assert_eq!(secrets.key("key", Some(path), None).unwrap().unwrap().expose_secret(), &[10; 32]);
        });
        for bad in [&b""[..], b"short", &[0; 31], &[b'g'; 64]] {
            with_file(0o600, bad, |path| assert!(secrets.key("key", Some(path), None).is_err()));
        }
    }

    #[test]
    fn a_missing_place_is_named() {
        let environment = BTreeMap::new();
        let noticed = Mutex::default();
        let mut secrets = Secrets { environment: &environment, lax_mode: LaxMode::Refuse, noticed: &noticed };
        let missing =
            secrets.text("password", Some(Path::new("/nonexistent/x")), None).unwrap_err().to_string();
        assert!(missing.contains("/nonexistent/x"), "{missing}");
        let unset = SecretReference::Environment("NOT_THERE".to_owned());
        assert!(secrets.text("password", None, Some(&unset)).unwrap_err().to_string().contains("NOT_THERE"));
        let both = secrets.text("password", Some(Path::new("/x")), Some(&unset)).unwrap_err().to_string();
        assert!(both.contains("both"), "{both}");
    }
}
