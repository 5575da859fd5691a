//! What can be reached, and by what means. Whatever a measure looks at, it looks at through here.

pub(crate) mod access_log;
pub(crate) mod account;
pub(crate) mod detours;
pub(crate) mod forge;
pub(crate) mod hello;
pub(crate) mod http;
pub(crate) mod inventory;
pub(crate) mod kept;
pub(crate) mod kept_link;
pub(crate) mod matrix;
pub(crate) mod openapi;
pub(crate) mod railway;
pub(crate) mod raw;
pub(crate) mod surface;
pub(crate) mod tokens;

use std::sync::{Arc, Mutex, PoisonError};

use secrecy::SecretString;
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::config::{Caller, Config};
use crate::database::{self, Scan};
use crate::exercise::{self, Begun, Finished};
use crate::world::http::{Http, Probe};
use crate::world::inventory::Inventory;
use crate::world::matrix::Matrix;
use crate::world::surface::Surface;
use crate::world::tokens::{Had, Scopes, Tokens};

/// What a run can reach.
pub(crate) struct World {
    pub(crate) config: Config,
    pub(crate) http: Http,
    pub(crate) inventory: Inventory,
    pub(crate) tokens: Tokens,
    /// The id of this run: in the User-Agent, and in names that must not exist.
    pub(crate) id: String,
    pub(crate) now: i64,
    /// What takes long just now, in words; empty: requests are counted.
    doing: Mutex<String>,
    answers: OnceCell<Result<(), String>>,
    keys: OnceCell<Option<Value>>,
    id_token: OnceCell<Option<SecretString>>,
    matrix: OnceCell<Matrix>,
    begun: OnceCell<Result<Begun, String>>,
    scans: OnceCell<Vec<Scan>>,
    finished: OnceCell<Result<Finished, String>>,
    surface: OnceCell<Surface>,
}

impl World {
    pub(crate) fn new(config: Config) -> Self {
        let id = random_hex::<8>();
        let agent = format!("portcullis-audit/{} run={id}", config.version);
        let inventory = inventory::take(&config);
        let scopes = |wanted: fn(Caller) -> bool| -> Scopes {
            let callers = |caller: Option<Caller>| caller.is_some_and(wanted);
            inventory.endpoints.iter().filter(|e| callers(e.caller())).flat_map(|e| e.scopes()).collect()
        };
        let tokens =
            Tokens::new(scopes(|caller| caller != Caller::Client), scopes(|caller| caller != Caller::User));
        Self {
            http: Http::new(agent, config.certificate_authority.as_deref()),
            now: (config.clock)(),
            inventory,
            tokens,
            id,
            config,
            doing: Mutex::default(),
            answers: OnceCell::new(),
            keys: OnceCell::new(),
            id_token: OnceCell::new(),
            matrix: OnceCell::new(),
            begun: OnceCell::new(),
            scans: OnceCell::new(),
            finished: OnceCell::new(),
            surface: OnceCell::new(),
        }
    }

    /// Says what takes long; an empty text: it is done.
    pub(crate) fn does(&self, what: String) {
        *self.doing.lock().unwrap_or_else(PoisonError::into_inner) = what;
    }

    /// What takes long just now, if anything does.
    pub(crate) fn doing(&self) -> Option<String> {
        let doing = self.doing.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Some(doing).filter(|doing| !doing.is_empty())
    }

    /// Whether anything answers at the target and at the issuer, asked once a run; or what does not, and why. Against a
    /// server that is down every endpoint would say the same.
    pub(crate) async fn answers(&self) -> &Result<(), String> {
        let answers = self.answers.get_or_init(|| async {
            for url in [&self.config.target, &self.config.issuer] {
                if let Err(why) = self.http.send(Probe::new("GET", url)).await {
                    return Err(format!("nothing answers at {url}: {why}"));
                }
            }
            Ok(())
        });
        answers.await
    }

    /// The issuer's published keys.
    pub(crate) async fn keys(&self) -> Option<&Value> {
        let keys = self.keys.get_or_init(|| async {
            let url = format!("{}.well-known/jwks.json", self.config.issuer);
            self.http.send(Probe::new("GET", url)).await.ok().filter(|answer| answer.status == 200)?.json()
        });
        keys.await.as_ref()
    }

    /// An ID token of the auditor's own user; none where the issuer gives it none.
    pub(crate) async fn id_token(&self) -> Option<&SecretString> {
        self.id_token.get_or_init(|| self.tokens.id_token(&self.config, &self.http)).await.as_ref()
    }

    /// Every endpoint against every attempt, sent once a run.
    pub(crate) async fn matrix(&self) -> &Matrix {
        self.matrix.get_or_init(|| matrix::observe(self)).await
    }

    /// The matrix, where a measure has had it sent.
    pub(crate) fn sent(&self) -> Option<&Matrix> {
        self.matrix.get()
    }

    /// One answer of every kind, asked for once a run.
    pub(crate) async fn surface(&self) -> &Surface {
        self.surface.get_or_init(|| Box::pin(surface::observe(self))).await
    }

    /// The throw-away user, signed up and its reset link asked for, once a run; or why not.
    pub(crate) async fn begun(&self) -> &Result<Begun, String> {
        self.begun.get_or_init(|| exercise::begin(self)).await
    }

    /// Every value of the store and of `[audit] database`, read while the throw-away user and its link are there.
    pub(crate) async fn scans(&self) -> &[Scan] {
        let begun = self.begun().await;
        self.scans.get_or_init(|| database::scan_all(&self.config, begun.as_ref().ok())).await
    }

    /// The throw-away user's reset, and its end.
    pub(crate) async fn finished(&self) -> &Result<Finished, String> {
        self.scans().await;
        let begun = self.begun().await;
        self.finished
            .get_or_init(|| async {
                match begun {
                    Ok(begun) => Ok(exercise::finish(self, begun).await),
                    Err(why) => Err(why.clone()),
                }
            })
            .await
    }

    /// Leaves no throw-away user behind.
    pub(crate) async fn clean_up(&self) {
        if self.begun.get().is_some_and(Result::is_ok) {
            self.finished().await;
        }
    }

    pub(crate) async fn full(&self, kind: Caller) -> Had {
        self.tokens.full(&self.config, &self.http, kind).await
    }

    pub(crate) async fn lacking(&self, kind: Caller, unwanted: &Scopes) -> Had {
        self.tokens.lacking(&self.config, &self.http, kind, unwanted).await
    }

    /// Keeps tokens for the next run; a fault is a note in the report.
    pub(crate) async fn keep(&self) -> Option<String> {
        let matrix = self.matrix.get()?;
        let mut tokens = Vec::new();
        for kind in [Caller::User, Caller::Client] {
            let let_in = matrix.lets_in(&self.inventory.endpoints, kind);
            if let Ok(token) = self.full(kind).await {
                tokens.push((Arc::clone(&token), let_in));
            }
            for endpoint in
                self.inventory.endpoints.iter().filter(|e| !e.is_safe() && e.caller() == Some(kind))
            {
                if let Ok(token) = self.lacking(kind, &endpoint.scopes()).await {
                    // Its control is the answer 403 instead of 401: a good token without the scope.
                    if !tokens.iter().any(|(other, _)| other.scopes == token.scopes && other.kind == kind) {
                        tokens.push((token, true));
                    }
                }
            }
        }
        kept::write(&self.config, self.now, &tokens).err()
    }
}

/// Fresh random bytes in hexadecimal.
#[expect(clippy::disallowed_methods, reason = "the auditor is the edge: its marks must not be guessable")]
pub(crate) fn random_hex<const BYTES: usize>() -> String {
    let mut bytes = [0; BYTES];
    // Without randomness the marks of two runs could meet; a run then finds its own mark missing and proves nothing.
    if getrandom::fill(&mut bytes).is_err() {
        return String::new();
    }
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
