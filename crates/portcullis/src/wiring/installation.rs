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

    /// Says which one was meant, and that there is another.
    pub fn told(place: &Where) -> String {
        let (here, of_dev) =
            (Path::new("portcullis.toml").exists(), Path::new(".portcullis/dev.json").exists());
        said(place, here, of_dev)
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

fn said(place: &Where, here: bool, of_dev: bool) -> String {
    let beside = "; .portcullis is here too: --dir .portcullis means that one";
    match (&place.config, &place.dir) {
        (Some(file), _) => format!("configuration: {}", file.display()),
        (None, Some(dir)) => format!("configuration: {} of portcullis dev", dir.display()),
        (None, None) if here => {
            format!("configuration: portcullis.toml{}", if of_dev { beside } else { "" })
        }
        (None, None) if of_dev => "configuration: .portcullis of portcullis dev".to_owned(),
        (None, None) => "configuration: none is here".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_that_was_meant_is_told_and_the_other_one_that_is_here() {
        let place = |config: Option<&str>, dir: Option<&str>| Where {
            config: config.map(Into::into),
            dir: dir.map(Into::into),
            json: false,
        };
        for (place, here, of_dev, expected) in [
            (place(None, None), true, false, "configuration: portcullis.toml"),
            (
                place(None, None),
                true,
                true,
                "configuration: portcullis.toml; .portcullis is here too: --dir .portcullis means that one",
            ),
            (place(None, None), false, true, "configuration: .portcullis of portcullis dev"),
            (place(None, Some(".portcullis")), true, true, "configuration: .portcullis of portcullis dev"),
            (place(Some("a.toml"), None), true, true, "configuration: a.toml"),
            (place(None, None), false, false, "configuration: none is here"),
        ] {
            assert_eq!(said(&place, here, of_dev), expected);
        }
    }
}
