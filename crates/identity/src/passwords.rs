//! Hashing on the pool: the court's rules with randomness and threads.

use accounts::password::{self, Verification};
use secrecy::{ExposeSecret as _, SecretString};

use crate::{Fault, Identity};

impl Identity {
    /// Hashes a normalised password with a fresh salt.
    pub(crate) async fn hash(&self, normalised: SecretString) -> Result<String, Fault> {
        let salt = self.inner.fresh.bytes()?;
        let parameters = self.inner.config.passwords.argon2;
        self.inner
            .pool
            .run(move |memory| {
                password::hash(&parameters, normalised.expose_secret().as_bytes(), salt, memory)
            })
            .await?
            .map_err(|error| Fault::Hashing(error.to_string()))
    }

    /// Compares a normalised password with a stored hash; without one, with a hash that nothing matches, at the same cost.
    pub(crate) async fn verify(
        &self,
        normalised: &SecretString,
        stored: Option<&str>,
    ) -> Result<Verification, Fault> {
        let parameters = self.inner.config.passwords.argon2;
        let known = stored.is_some();
        let phc = stored.map_or_else(|| self.inner.dummy_hash.clone(), str::to_owned);
        let password = normalised.clone();
        let verified = self
            .inner
            .pool
            .run(move |memory| {
                password::verify(&parameters, &phc, password.expose_secret().as_bytes(), memory)
            })
            .await?;
        match verified {
            Ok(verification) => Ok(Verification { matches: verification.matches && known, ..verification }),
            Err(error @ password::HashError::OutOfMemory) => Err(Fault::Hashing(error.to_string())),
            Err(error) => {
                // An unreadable row must not be told from a wrong password, by the answer or by its time.
                tracing::error!(%error, "a stored password hash cannot be used");
                let (dummy, password) = (self.inner.dummy_hash.clone(), normalised.clone());
                let hashed = self.inner.pool.run(move |memory| {
                    password::verify(&parameters, &dummy, password.expose_secret().as_bytes(), memory)
                });
                hashed.await?.map_err(|error| Fault::Hashing(error.to_string()))?;
                Ok(Verification { matches: false, needs_rehash: false })
            }
        }
    }
}
