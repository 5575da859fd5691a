//! `[audit] advisories`: a folder, or the URL of a repository that is fetched.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

/// Where the database is.
#[derive(Clone, Debug)]
pub enum Advisories {
    /// A folder that somebody keeps current.
    Folder(PathBuf),
    /// A repository that the audit fetches itself.
    Remote(Remote),
}

/// A repository, by https or on this machine. Who its user is and by what password stands apart from its URL, so that
/// whatever speaks of the URL, git included, does not know it.
#[derive(Clone, Debug)]
pub struct Remote {
    pub(super) url: Url,
    /// The `Authorization` header of the URL's user and the password (RFC 7617).
    pub(super) authorization: Option<SecretString>,
}

impl Advisories {
    /// What was written: a URL, else a folder. The password of the URL's user comes by itself, for what holds one has a type
    /// that does not print.
    ///
    /// # Errors
    /// A URL by which nothing is fetched, or with a password in it; the text repeats nothing of it but its scheme.
    pub fn parse(
        written: &str,
        password: Option<&SecretString>,
        folder: impl FnOnce(&Path) -> PathBuf,
    ) -> Result<Self, String> {
        if written.contains("://") {
            Remote::parse(written, password).map(Self::Remote)
        } else {
            Ok(Self::Folder(folder(Path::new(written))))
        }
    }
}

impl Remote {
    fn parse(written: &str, password: Option<&SecretString>) -> Result<Self, String> {
        let mut url = Url::parse(written).map_err(|error| format!("its URL cannot be read: {error}"))?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err("the URL of a repository has neither ? nor #".into());
        }
        let authorization = match url.scheme() {
            "https" => credentials(&mut url, password)?,
            "file" if url.host().is_none() => None,
            "file" => return Err("file:// is of this machine, and names no host: file:///a/folder".into()),
            other => return Err(format!("{other}:// is not fetched; https:// and file:// are")),
        };
        Ok(Self { url, authorization })
    }

    /// The URL as it may be shown.
    pub(super) fn shown(&self) -> &str {
        self.url.as_str()
    }
}

/// Takes the user out of the URL.
fn credentials(url: &mut Url, password: Option<&SecretString>) -> Result<Option<SecretString>, String> {
    if url.password().is_some() {
        let why = "the URL holds a password: put it into a file (mode 0600), and name that in advisories_password_file";
        return Err(why.into());
    }
    if url.username().is_empty() && password.is_none() {
        return Ok(None);
    }
    let form = format!("v={}", url.username().replace('+', "%2B").replace('&', "%26"));
    let user = url::form_urlencoded::parse(form.as_bytes()).map(|(_, value)| value.into_owned()).next();
    let password = password.map_or("", |password| password.expose_secret());
    let pair = format!("{}:{password}", user.unwrap_or_default());
    url.set_username("").map_err(|()| "its user cannot be read".to_owned())?;
    Ok(Some(format!("Authorization: Basic {}", STANDARD.encode(pair)).into()))
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn parse(written: &str) -> Result<Advisories, String> {
        Advisories::parse(written, None, |path| Path::new("/etc/portcullis").join(path))
    }

    #[test]
    fn a_url_is_fetched_by_https_or_from_this_machine_and_all_else_is_a_folder() {
        for url in ["https://git.example.com/advisories", "file:///srv/advisory-db"] {
            let Ok(Advisories::Remote(remote)) = parse(url) else { panic!("{url}") };
            assert_eq!((remote.shown(), remote.authorization.is_none()), (url, true));
        }
        let Ok(Advisories::Folder(folder)) = parse("../advisory-db") else { panic!("a folder") };
        assert_eq!(folder, Path::new("/etc/portcullis/../advisory-db"));
        for refused in [
            "http://git.example.com/s3cret",
            "ssh://git@git.example.com/s3cret",
            "git://git.example.com/s3cret",
            "ext::sh -c s3cret% ://",
            "file://git.example.com/s3cret",
            "https://git.example.com/db?token=s3cret",
            "https://git.example.com/db#s3cret",
            "https://s3cret:x@:99999999/",
            "https://ada:s3cret@git.example.com/db",
        ] {
            let why = parse(refused).err().unwrap_or_else(|| panic!("{refused} is taken"));
            assert!(!why.contains("s3cret"), "{why}");
        }
    }

    #[test]
    fn who_asks_is_no_part_of_the_url() {
        let password = SecretString::from("s3cr@t+");
        let written = "https://ada%2Bb@git.example.com/db";
        let Ok(Advisories::Remote(remote)) = Advisories::parse(written, Some(&password), Path::to_owned)
        else {
            panic!("a URL")
        };
        assert_eq!(remote.shown(), "https://git.example.com/db");
        let header = format!("Authorization: Basic {}", STANDARD.encode("ada+b:s3cr@t+"));
        assert_eq!(remote.authorization.as_ref().map(ExposeSecret::expose_secret), Some(header.as_str()));
        assert!(!format!("{remote:?}").contains("s3cr"), "{remote:?}");
    }
}
