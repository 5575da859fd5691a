//! Which installation a command means: a configuration, or a folder of `dev`.

use crate::command_line::Where;
use crate::config::{ConfigError, Configuration, Source};
use crate::dev::folder::Folder;
use std::collections::BTreeMap;
use std::path::Path;

/// An installation on this machine.
pub struct Installation {
    /// Its configuration.
    pub configuration: Configuration,
    /// Its folder, where it is one of `dev`.
    pub dev: Option<Folder>,
}

impl Installation {
    /// Finds it: what was named, else `portcullis.toml` here, else `.portcullis` here.
    pub fn find(place: &Where, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        match (&place.config, &place.dir) {
            (Some(file), _) => Self::configured(file, environment),
            (None, Some(dir)) => Self::of_dev(dir, environment),
            (None, None) if Path::new("portcullis.toml").exists() => {
                Self::configured(Path::new("portcullis.toml"), environment)
            }
            (None, None) if Path::new(".portcullis/dev.json").exists() => {
                Self::of_dev(Path::new(".portcullis"), environment)
            }
            (None, None) => Err(ConfigError::Invalid(
                "neither portcullis.toml nor .portcullis is here: name one with --config FILE or --dir DIR, or start \
                 `portcullis dev`"
                    .to_owned(),
            )),
        }
    }

    /// By a configuration file.
    pub fn configured(file: &Path, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let configuration = Configuration::load(&Source {
            file: Some(file),
            defaults: toml::Table::new(),
            folder: Path::new("."),
            environment,
        })?;
        Ok(Installation { configuration, dev: None })
    }

    fn of_dev(dir: &Path, environment: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let folder = Folder::open(dir)?;
        let configuration = folder.configuration(&folder.last_start()?, environment)?;
        Ok(Installation { configuration, dev: Some(folder) })
    }
}
