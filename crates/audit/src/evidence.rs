//! What was seen. A secret cannot get in here: a transcript is made of a probe, whose credentials print only
//! their label, and of an answer's status and a few harmless headers, never its body.

use serde::{Deserialize, Serialize};

/// How much an observation is worth, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Strength {
    /// The running system behaved so.
    Live,
    /// A catalogue or an interface says so.
    Catalogue,
    /// The repository or the configuration says so.
    Repository,
    /// Somebody says so.
    Attestation,
}

/// Where the auditor stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vantage {
    /// HTTP to the gateway, the issuer or the backend, from the machine of the run.
    Http,
    /// SQL, as the role that the configuration names.
    Database,
    /// Files of the machine of the run.
    Files,
    /// The configuration and the document.
    Configuration,
    /// Names, as they resolve on the machine of the run.
    Names,
    /// The platform's own interface.
    Platform,
    /// Another network, by a report of `portcullis probe`.
    Outside,
}

/// One observation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// How much it is worth.
    pub strength: Strength,
    /// Where the auditor stood.
    pub vantage: Vantage,
    /// One sentence for people.
    pub what: String,
    /// The control beside a refusal: what was let in a moment before or after.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub control: Option<String>,
    /// What was sent, without its secrets.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub request: Option<String>,
    /// What came back: status and headers.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub response: Option<String>,
}

impl Evidence {
    fn of(strength: Strength, vantage: Vantage, what: impl Into<String>) -> Self {
        Self { strength, vantage, what: what.into(), control: None, request: None, response: None }
    }

    /// Behaviour seen over HTTP.
    pub fn http(what: impl Into<String>) -> Self {
        Self::of(Strength::Live, Vantage::Http, what)
    }

    /// What a database did or holds.
    pub fn database(what: impl Into<String>) -> Self {
        Self::of(Strength::Live, Vantage::Database, what)
    }

    /// What a database's catalogue says.
    pub fn catalogue(what: impl Into<String>) -> Self {
        Self::of(Strength::Catalogue, Vantage::Database, what)
    }

    /// What a file showed.
    pub fn file(what: impl Into<String>) -> Self {
        Self::of(Strength::Live, Vantage::Files, what)
    }

    /// What the configuration or the document says.
    pub fn configuration(what: impl Into<String>) -> Self {
        Self::of(Strength::Repository, Vantage::Configuration, what)
    }

    /// What the repository's files and its log say.
    pub fn repository(what: impl Into<String>) -> Self {
        Self::of(Strength::Repository, Vantage::Files, what)
    }

    /// What names resolved to.
    pub fn names(what: impl Into<String>) -> Self {
        Self::of(Strength::Live, Vantage::Names, what)
    }

    /// What the platform's interface says.
    pub fn platform(what: impl Into<String>) -> Self {
        Self::of(Strength::Catalogue, Vantage::Platform, what)
    }

    /// What a probe saw from outside.
    pub fn outside(what: impl Into<String>) -> Self {
        Self::of(Strength::Live, Vantage::Outside, what)
    }

    /// With the control that stands beside it.
    #[must_use]
    pub fn beside(mut self, control: impl Into<String>) -> Self {
        self.control = Some(control.into());
        self
    }

    /// With the request and the answer.
    #[must_use]
    pub(crate) fn shown(mut self, transcript: &Transcript) -> Self {
        self.request = Some(transcript.request.clone());
        self.response = Some(transcript.response.clone());
        self
    }
}

/// A request and its answer as they may be printed; only `world::http` makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transcript {
    pub(crate) request: String,
    pub(crate) response: String,
}
