//! A new password while requests run: new connections beside the old ones, proven first, then swapped.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::time::timeout;

use crate::connections::Connections;
use crate::{Engine, Fault, Store, migrations, postgres};

/// How long the source of the credential may take.
const SOURCE: Duration = Duration::from_secs(5);

/// Where the credential of a PostgreSQL store is read again after the server has refused it.
#[async_trait]
pub trait CredentialSource: Send + Sync {
    /// URL without password, and password, as they stand there now.
    ///
    /// # Errors
    /// When it cannot be read; the message must not repeat it.
    async fn credential(&self) -> Result<(String, SecretString), Fault>;
}

impl Store {
    /// Goes over to another role or password of the same database. The new connections are opened and proven before the
    /// first request uses them; what runs on the old ones ends there, and they are closed in the background. When this
    /// fails the old ones stay.
    ///
    /// # Errors
    /// [`Fault::CredentialsRefused`] and [`Fault::Unavailable`] when the new connections do not come about or lead to a
    /// database without this store; [`Fault::OtherEngine`] on SQLCipher.
    pub async fn replace_credential(&self, url: &str, password: &SecretString) -> Result<(), Fault> {
        if self.inner.engine != Engine::Postgres {
            return Err(Fault::OtherEngine("a SQLCipher store has a key and no password"));
        }
        let connections = postgres::open(url, password, &self.inner.options).await?;
        if let Err(fault) = prove(&connections).await {
            connections.close().await;
            return Err(fault);
        }
        self.inner.connections.swap(Arc::new(connections)).retire();
        Ok(())
    }

    /// Names the place where the credential is read again when the server refuses it. Then the operation that met the
    /// refusal, and all that meet it at the same time, wait for one look there, and each tries once more.
    pub fn set_credential_source(&self, source: Arc<dyn CredentialSource>) {
        *self.inner.source.write().unwrap_or_else(PoisonError::into_inner) = Some(source);
    }

    /// After a refusal on `refused`: sees to it that other connections are in force, or says that there are none.
    pub(crate) async fn renew(&self, refused: &Arc<Connections>) -> Result<(), Fault> {
        let source = self.inner.source.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(source) = source else { return Err(Fault::CredentialsRefused) };
        let before = self.inner.renewals.load(Ordering::Acquire);
        let _alone = self.inner.renewing.lock().await;
        if !Arc::ptr_eq(&self.inner.connections.load(), refused) {
            return Ok(());
        }
        if self.inner.renewals.load(Ordering::Acquire) != before {
            // Somebody asked while this one waited, and what came back was no better.
            return Err(Fault::CredentialsRefused);
        }
        let outcome = match timeout(SOURCE, source.credential()).await {
            Ok(Ok((url, password))) => self.replace_credential(&url, &password).await,
            Ok(Err(fault)) => Err(fault),
            Err(_) => Err(Fault::Unavailable("its credential could not be read again in time".to_owned())),
        };
        self.inner.renewals.fetch_add(1, Ordering::Release);
        outcome
    }
}

/// Whether these connections work, and lead to a store of this version.
async fn prove(connections: &Connections) -> Result<(), Fault> {
    if migrations::is_complete(&connections.read).await? {
        Ok(())
    } else {
        Err(Fault::Unavailable("the new credential leads to a database without this store".to_owned()))
    }
}
