//! The auditor's reports in the store: kept, read again, remembered by digest.

use super::board::verdicts_of;
use crate::commands::complain;
use crate::config::Configuration;
use ::audit::{Report, Verdict};
use ::store::{Fault, ReportRow, Store};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Keeps a report: `bytes` are what was signed. False when it is there already.
pub async fn record_report(store: &Store, report: &Report, bytes: &[u8]) -> Result<bool, Fault> {
    let count = |verdict: Verdict| {
        let found = report.measures.iter().filter(|measure| measure.verdict == verdict).count();
        i64::try_from(found).unwrap_or(i64::MAX)
    };
    let row = ReportRow {
        digest: aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref().to_vec(),
        environment: report.run.environment.clone(),
        started_at: report.run.started_at,
        bytes: bytes.to_vec(),
        verdicts: serde_json::to_string(&verdicts_of(report)).unwrap_or_default(),
        passed: count(Verdict::Pass) + count(Verdict::Superseded),
        failed: count(Verdict::Fail),
        not_proven: count(Verdict::NotProven),
    };
    store.insert_report(&row).await
}

/// Keeps a report for the board, where this machine has the store. An audit is none the worse where it has not.
pub async fn put_on_the_board(configuration: &Configuration, report: &Report, bytes: &[u8]) {
    if !super::store::has_store(configuration) || super::store::is_first_start(configuration) {
        return;
    }
    let outcome = match super::store::open(configuration, false).await {
        Ok(store) => {
            let recorded = record_report(&store, report, bytes).await;
            store.close().await;
            recorded.map(drop).map_err(|fault| fault.to_string())
        }
        Err(error) => Err(error.to_string()),
    };
    if let Err(error) = outcome {
        complain(&format!("the report is not on the board: {error}"));
    }
}

/// A report as it was read from the store.
#[derive(Clone)]
pub struct Kept {
    /// SHA-256 of its bytes.
    pub digest: Vec<u8>,
    /// What it says.
    pub report: Arc<Report>,
}

/// The newest report of each environment. A report is parsed once, however often it is looked at.
#[derive(Clone)]
pub struct Reports {
    store: Store,
    read: Arc<Mutex<BTreeMap<String, Kept>>>,
}

impl Reports {
    /// Those of a store.
    pub fn of(store: Store) -> Self {
        Self { store, read: Arc::default() }
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The newest of an environment.
    pub async fn latest(&self, environment: &str) -> Result<Option<Kept>, String> {
        let failed = |fault: Fault| fault.to_string();
        let newest = self.store.latest_report_digest(environment).await.map_err(failed)?;
        let Some(newest) = newest else { return Ok(None) };
        if let Some(kept) = self.remembered(environment).filter(|kept| kept.digest == newest) {
            return Ok(Some(kept));
        }
        let Some(row) = self.store.latest_report(environment).await.map_err(failed)? else { return Ok(None) };
        let report = Report::parse(&row.bytes)
            .map_err(|error| format!("the newest report of {environment} cannot be read: {error}"))?;
        let kept = Kept { digest: row.digest, report: Arc::new(report) };
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        read.insert(environment.to_owned(), kept.clone());
        Ok(Some(kept))
    }

    /// The newest of every environment, by name.
    pub async fn latest_of_all(&self) -> Result<Vec<Kept>, String> {
        let mut all = Vec::new();
        for environment in self.store.report_environments().await.map_err(|fault| fault.to_string())? {
            all.extend(self.latest(&environment).await?);
        }
        Ok(all)
    }

    fn remembered(&self, environment: &str) -> Option<Kept> {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).get(environment).cloned()
    }
}
