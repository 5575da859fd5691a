//! A store in a file: SQLCipher's ciphertext, its key, and who may read it.

use std::path::Path;

use sqlx::Connection as _;

use super::named;
use crate::database::sqlcipher;
use crate::evidence::Evidence;
use crate::report::Claim;

/// The first bytes of an SQLite file that is not encrypted.
const PLAIN: &[u8] = b"SQLite format 3\0";

pub(super) async fn claims(name: &str, path: &Path, key: &[u8]) -> Vec<Claim> {
    let header = first_bytes(path);
    let right = sqlcipher::open(path, Some(key)).await;
    let control = match right {
        Ok(connection) => {
            let _closed = connection.close().await;
            Ok("the right key opens it".to_owned())
        }
        Err(why) => Err(format!("the right key does not open it: {why}")),
    };
    // The right key with every bit turned.
    let wrong: Vec<u8> = key.iter().map(|byte| !byte).collect();
    let mut claims = vec![ciphertext(&named(name, "file_is_ciphertext"), path, header.as_ref())];
    for (claim, key) in
        [("without_a_key_is_refused", None), ("with_a_wrong_key_is_refused", Some(wrong.as_slice()))]
    {
        let opened = sqlcipher::open(path, key).await;
        let refused = match opened {
            Ok(connection) => {
                let _closed = connection.close().await;
                None
            }
            Err(why) => Some(why),
        };
        claims.push(opens(&named(name, claim), refused, &control));
    }
    claims.push(mode(&named(name, "file_is_its_owners_alone"), path));
    let id = named(name, "key_is_strong");
    let evidence = Evidence::file(if key.len() == 2 * sqlcipher::KEY {
        "the key is being changed: two keys of 256 bits".to_owned()
    } else {
        format!("the key is {} bits", key.len() * 8)
    });
    claims.push(if key.len() >= 32 {
        Claim::pass(&id, vec![evidence])
    } else {
        Claim::fail(&id, vec![evidence], "use a raw key of 32 random bytes")
    });
    claims
}

fn first_bytes(path: &Path) -> Result<[u8; 16], String> {
    use std::io::Read as _;
    let mut bytes = [0; 16];
    std::fs::File::open(path)
        .and_then(|mut file| file.read_exact(&mut bytes))
        .map_err(|error| error.to_string())?;
    Ok(bytes)
}

fn ciphertext(id: &str, path: &Path, header: Result<&[u8; 16], &String>) -> Claim {
    match header {
        Err(why) => {
            let evidence = Evidence::file(format!("{} cannot be read: {why}", path.display()));
            Claim::not_proven(id, vec![evidence], "run the audit where the store's file is")
        }
        Ok(bytes) if bytes.as_slice() == PLAIN => {
            let evidence = Evidence::file(format!("{} begins with \"SQLite format 3\"", path.display()));
            Claim::fail(id, vec![evidence], "encrypt it: it is no SQLCipher file")
        }
        Ok(_) => Claim::pass(
            id,
            vec![Evidence::file(format!("the first 16 bytes of {} are no SQLite header", path.display()))],
        ),
    }
}

fn opens(id: &str, refused: Option<String>, control: &Result<String, String>) -> Claim {
    match (refused, control) {
        (None, _) => {
            let evidence = Evidence::file("it opened");
            Claim::fail(id, vec![evidence], "check that the library is SQLCipher and the file encrypted")
        }
        (Some(why), Ok(control)) => {
            Claim::pass(id, vec![Evidence::file(format!("refused: {why}")).beside(control.clone())])
        }
        (Some(_), Err(why)) => Claim::not_proven(
            id,
            vec![Evidence::file(why.clone())],
            "give the auditor the right key, as the control",
        ),
    }
}

fn mode(id: &str, path: &Path) -> Claim {
    use std::os::unix::fs::PermissionsExt as _;
    match std::fs::metadata(path).map(|metadata| metadata.permissions().mode() & 0o777) {
        Err(error) => {
            Claim::not_proven(id, vec![Evidence::file(error.to_string())], "run the audit where the file is")
        }
        Ok(mode) => {
            let evidence = vec![Evidence::file(format!("{} has mode {mode:04o}", path.display()))];
            if mode & 0o077 == 0 { Claim::pass(id, evidence) } else { Claim::fail(id, evidence, "chmod 600") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    #[test]
    fn a_refusal_needs_its_control() {
        let control = Ok("the right key opens it".to_owned());
        assert_eq!(opens("x", Some("no".into()), &control).verdict, Verdict::Pass);
        assert_eq!(opens("x", None, &control).verdict, Verdict::Fail);
        assert_eq!(opens("x", Some("no".into()), &Err("no key".into())).verdict, Verdict::NotProven);
    }
}
