//! Which databases a run looks at: the store and each `[[database]]`.

use secrecy::SecretString;

use super::postgres::{self, Refusal};
use crate::config::{Config, Location, Stewardship};
use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;

/// A PostgreSQL database of the configuration.
pub(crate) struct Target<'a> {
    /// `store`, or the `[[database]]`'s name.
    pub(crate) name: &'a str,
    pub(crate) url: &'a str,
    pub(crate) password: Option<&'a SecretString>,
    pub(crate) stewardship: &'a Stewardship,
}

/// The store where it is PostgreSQL, and each `[[database]]`.
pub(crate) fn targets(config: &Config) -> Vec<Target<'_>> {
    let store = config.store.iter().map(|location| ("store", location, &config.store_stewardship));
    let databases = config
        .databases
        .iter()
        .map(|database| (database.name.as_str(), &database.location, &database.stewardship));
    store
        .chain(databases)
        .filter_map(|(name, location, stewardship)| match location {
            Location::Postgres { url, password } => {
                Some(Target { name, url, password: password.as_ref(), stewardship })
            }
            Location::SqlCipher { .. } => None,
        })
        .collect()
}

impl Target<'_> {
    /// The claim's id with the database's name before it.
    pub(crate) fn claim(&self, id: &str) -> String {
        format!("{}_{id}", self.name)
    }

    /// How to log in, or why the URL is none.
    pub(crate) fn options(&self) -> Result<PgConnectOptions, String> {
        postgres::options(self.url, self.password)
    }

    /// A session as the configured role, or why there is none.
    pub(crate) async fn connect(&self) -> Result<PgConnection, String> {
        postgres::connect(&self.options()?).await.map_err(|refusal| match refusal {
            Refusal::Login(code) => format!("the right password was refused ({code})"),
            Refusal::Other(why) => why,
        })
    }
}
