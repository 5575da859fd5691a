//! A probe's report: the contract's JSON, written and read again by `[audit] outside`.

use serde::{Deserialize, Serialize};

use super::SCHEMA;
use crate::schema::{self, ReportError};

/// What a probe found. Its JSON is the contract's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// RFC 3339, UTC.
    pub at: String,
    /// Whether the probe stood outside.
    pub outside: Outside,
    /// Whether its network worked.
    pub control: Controlled,
    /// In the order in which they were given.
    pub endpoints: Vec<Probed>,
}

/// Shows that the probe stood outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// A name that exists inside alone.
    pub internal_name: String,
    /// Whether it resolved; `null`: the name servers gave no clear answer.
    pub resolves: Option<bool>,
}

/// Shows that the network worked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Controlled {
    /// What was connected to.
    pub url: String,
    /// Whether a connection came about.
    pub connected: bool,
}

/// One endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// `host:port`.
    pub endpoint: String,
    /// What was found out.
    pub result: ProbeResult,
    /// Why, address by address.
    pub evidence: String,
}

/// What was found out about an endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeResult {
    /// A PostgreSQL server answers a stranger.
    Open,
    /// Nobody answers, and the controls show that somebody would have been heard.
    Closed,
    /// Could not be told.
    Unknown,
}

impl ProbeResult {
    /// The word of the contract's JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for ProbeResult {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Report {
    /// Reads what [`Report::json`] wrote.
    ///
    /// # Errors
    /// What is no report of a probe, or of another schema.
    pub fn parse(json: &[u8]) -> Result<Self, ReportError> {
        schema::read(json, SCHEMA)
    }

    /// The report as JSON, with a final newline.
    #[must_use]
    pub fn json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// The report for people: the controls, then a line for each endpoint.
    #[must_use]
    pub fn text(&self) -> String {
        let Self { outside, control, .. } = self;
        let mut text = match outside.resolves {
            Some(false) => format!("outside: {} does not resolve here\n", outside.internal_name),
            Some(true) => format!("not outside: {} resolves here\n", outside.internal_name),
            None => {
                format!("outside or not: no name server answered clearly for {}\n", outside.internal_name)
            }
        };
        let connected = if control.connected { "connected" } else { "no connection" };
        text.push_str(&format!("control: {}: {connected}\n\n", control.url));
        let width = self.endpoints.iter().map(|probed| probed.endpoint.len()).max().unwrap_or_default();
        for Probed { endpoint, result, evidence } in &self.endpoints {
            let result = if *result == ProbeResult::Unknown { "could not tell" } else { result.as_str() };
            text.push_str(&format!("{result:<14}  {endpoint:<width$}  {evidence}\n"));
        }
        text
    }

    /// 1 where one is open, else 3 where one could not be told or there is none, else 0: all are closed.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        let any = |result| self.endpoints.iter().any(|probed| probed.result == result);
        if any(ProbeResult::Open) {
            1
        } else if any(ProbeResult::Unknown) || self.endpoints.is_empty() {
            3
        } else {
            0
        }
    }

    /// Whether the probe showed that it stood outside and that its network worked.
    #[must_use]
    pub fn controls_are_green(&self) -> bool {
        self.outside.resolves == Some(false) && self.control.connected
    }
}
