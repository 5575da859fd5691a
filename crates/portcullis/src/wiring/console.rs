//! `/console` on the issuer's origin: the board's data from the store's reports, people from the issuer.

use super::board::{self, Pictures, Told, Verdicts};
use super::reports::Reports;
use crate::clock;
use crate::config::Configuration;
use ::audit::document::DocumentError;
use ::audit::report::picture;
use ::audit::{Document, MeasureId};
use ::identity::{Identity, PasswordCheck};
use ::store::Store;
use admin::console::{Board, Boards, Console, Doors, People, Setting, SignIn, entry};
use http::request::Parts;
use secrecy::SecretString;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

/// Runs that a history shows.
const HISTORY: u64 = 60;

/// Where the console of this installation is; none without an issuer of its own.
pub fn setting(configuration: &Configuration) -> Option<Setting> {
    let issuer = configuration.file.identity.as_ref()?.issuer.as_deref()?;
    let issuer = url::Url::parse(issuer).ok()?;
    let service = issuer.host_str().unwrap_or("Portcullis").to_owned();
    Some(Setting { issuer, service })
}

/// Where the board is, and a link that opens it once.
pub struct Opened {
    /// The board.
    pub board: String,
    /// The link.
    pub link: String,
}

/// Makes a one-time link; none where there is no console.
pub async fn open(configuration: &Configuration, store: &Store) -> Result<Option<Opened>, ::store::Fault> {
    let Some(setting) = setting(configuration) else { return Ok(None) };
    let token = entry::new_link(store, clock::now(), clock::draw()).await?;
    Ok(Some(Opened { board: setting.board(), link: setting.link(&token) }))
}

/// The console before a store and an issuer.
pub fn console(configuration: &Configuration, reports: Reports, identity: &Identity) -> Option<Console> {
    let setting = setting(configuration)?;
    let audit = configuration.file.audit.as_ref();
    let document = audit.and_then(|audit| audit.document.as_ref()).map(|file| configuration.path(file));
    let mapping = super::document::lines(configuration).unwrap_or_else(|error| {
        tracing::warn!("{}", error.message);
        BTreeMap::new()
    });
    let people = (!super::identity::is_delegated(configuration))
        .then(|| Arc::new(Issuer(identity.clone())) as Arc<dyn People>);
    let store = reports.store().clone();
    let doors = Doors {
        boards: Arc::new(Shelf { reports, document, mapping }),
        people,
        now: Box::new(clock::now),
        fresh: Box::new(|| clock::fresh().ok()),
    };
    Some(Console::new(setting, store, doors))
}

struct Issuer(Identity);

#[async_trait::async_trait]
impl People for Issuer {
    async fn sign_in(&self, request: &Parts, email: &str, password: &SecretString) -> Result<SignIn, String> {
        match self.0.check_password(request, email, password).await {
            Ok(PasswordCheck::User { id }) => Ok(SignIn::User(id)),
            Ok(PasswordCheck::Nobody) => Ok(SignIn::Nobody),
            Ok(PasswordCheck::TooMany { seconds }) => Ok(SignIn::TooMany(seconds)),
            Err(fault) => Err(fault.to_string()),
        }
    }
}

/// The reports and the document, from which a board is put together.
struct Shelf {
    reports: Reports,
    document: Option<PathBuf>,
    /// Which line of it stands for which measures, as the configuration says.
    mapping: BTreeMap<String, Vec<MeasureId>>,
}

#[async_trait::async_trait]
impl Boards for Shelf {
    async fn board(&self) -> Result<Board, String> {
        let mut told = Vec::new();
        for kept in self.reports.latest_of_all().await? {
            let environment = &kept.report.run.environment;
            let history = self.reports.store().report_history(environment, HISTORY).await;
            let history = history
                .map_err(|fault| fault.to_string())?
                .into_iter()
                .map(|run| {
                    let verdicts: Verdicts = serde_json::from_str(&run.verdicts).unwrap_or_default();
                    (run.started_at, verdicts)
                })
                .collect();
            told.push(Told { kept, history });
        }
        let (document, mapping) = (self.document.clone(), self.mapping.clone());
        // Reading, judging and drawing hold a thread for a while; those that serve requests are not for that.
        let put_together = move || {
            let read = document.as_ref().map(|file| Ok((file, Document::read(file)?.mapped(&mapping))));
            let read = read.transpose().map_err(|error: DocumentError| error.to_string())?;
            let name = |file: &PathBuf| {
                file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
            };
            let named = read.as_ref().map(|(file, document)| (name(file), document));
            let named = named.as_ref().map(|(name, document)| (name.as_str(), *document));
            Ok(board::of(&told, named, &PICTURES, clock::now()))
        };
        tokio::task::spawn_blocking(put_together).await.map_err(|error| error.to_string())?
    }
}

const PICTURES: Pictures = Pictures {
    style: picture::STYLE,
    matrix: picture::matrix_svg,
    runs: picture::history_svg,
    history: picture::measure_history_svg,
};
