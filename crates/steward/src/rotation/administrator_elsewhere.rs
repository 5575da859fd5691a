//! One administrator of several databases: what was changed for one, the ledgers of the others learn.

use secrecy::{ExposeSecret as _, SecretString};

use super::Hands;
use super::administrator::{configured, validity};
use super::observe::attempt;
use crate::Credential;
use crate::connect::logout;
use crate::journal::Entry;
use crate::ledger::{self, Kind};

/// Several databases of one server have one administrator, and a ledger each: all of them learn of the new password, or
/// would speak of one that is gone. One that cannot be told stays behind; then its change is not proven until its own.
pub(super) async fn tell_other_ledgers(hands: &Hands<'_>, next: &Entry) {
    let Ok(Some(own)) = configured(hands) else { return };
    let (Some(verifier), Ok(here)) = (&next.current.verifier, hands.at_configured(&own)) else { return };
    let others = hands.databases.values().filter(|other| other.name != hands.database.name);
    for other in others {
        let Ok(there) = Credential::from_url(&other.url, Some(&next.current.credential.password)) else {
            continue;
        };
        let named = other.administrator.as_ref().and_then(|url| {
            Credential::from_url(url.expose_secret().trim(), None).ok().map(|credential| credential.username)
        });
        if (&there.host, there.port) != (&here.host, here.port) || named.as_ref() != Some(&own.username) {
            continue;
        }
        let there = Credential { username: own.username.clone(), ..there };
        if let Err(reason) = tell(hands, &there, verifier).await {
            tracing::warn!(database = other.name, %reason, "its ledger does not know of the administrator's new password");
        }
    }
}

async fn tell(hands: &Hands<'_>, there: &Credential, verifier: &SecretString) -> Result<(), String> {
    let (_, session, said) = attempt(there).await;
    let mut session = session.ok_or(said)?;
    let told = async {
        let slots = ledger::slots(&mut session).await?;
        let slot = slots.iter().find(|slot| slot.role == there.username && slot.kind == Kind::Administrator);
        let generation = slot.map_or(0, |slot| slot.generation);
        let known = slot.and_then(|slot| slot.fingerprint.as_deref());
        if known == Some(crate::verifier::fingerprint(verifier.expose_secret()).as_str()) {
            return Ok(());
        }
        let valid = validity(hands);
        ledger::rotate_administrator(
            &mut session,
            &there.username,
            verifier,
            generation,
            generation + 1,
            valid,
        )
        .await
        .map(|_| ())
    }
    .await;
    logout(session).await;
    told.map_err(|error: ledger::LedgerError| error.to_string())
}
