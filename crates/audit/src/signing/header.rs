//! The JWS header: which key, which algorithm, and that it is evidence.

use serde::{Deserialize, Serialize};

use super::key::{PublicJwk, PublicKey};

/// The header's `typ`. No token has it, and no verifier of tokens takes it.
pub const TYP: &str = "portcullis-evidence+jws";
/// RFC 8037 section 3.1.
const ALGORITHM: &str = "EdDSA";

/// Nothing else may stand in it, so that `crit` and `b64` are refused unread, and no name may stand twice
/// (RFC 7515 section 4).
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    kid: String,
    typ: String,
    jwk: PublicJwk,
}

/// The header of what this key signs.
pub(super) fn of(key: &PublicKey) -> String {
    let header = Header { alg: ALGORITHM.into(), kid: key.thumbprint(), typ: TYP.into(), jwk: key.jwk() };
    serde_json::to_string(&header).unwrap_or_default()
}

/// The key that a header carries.
pub(super) fn read(json: &[u8]) -> Result<PublicKey, String> {
    let header: Header = serde_json::from_slice(json).map_err(|error| error.to_string())?;
    if header.alg != ALGORITHM {
        return Err(format!("its algorithm is {:?}, not {ALGORITHM}", header.alg));
    }
    if header.typ != TYP {
        return Err(format!("its typ is {:?}, not {TYP}", header.typ));
    }
    let key = PublicKey::of(&header.jwk).map_err(|error| error.to_string())?;
    if header.kid != key.thumbprint() {
        return Err("its kid is not the thumbprint of its key".into());
    }
    Ok(key)
}
