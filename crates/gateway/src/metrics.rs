//! Counters, in Prometheus's text format. Labels come from closed lists: nothing of a request becomes a label.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// What is counted. Plain atomics on the common way, a map only for denials and errors.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    /// by the first digit of the status
    answers: [AtomicU64; 6],
    pub(crate) remembered_hits: AtomicU64,
    pub(crate) remembered_misses: AtomicU64,
    pub(crate) key_fetches: AtomicU64,
    pub(crate) key_fetch_failures: AtomicU64,
    pub(crate) api_key_uses: AtomicU64,
    pub(crate) api_key_uses_unrecorded: AtomicU64,
    pub(crate) tunnels: AtomicU64,
    pub(crate) connections: AtomicU64,
    denials: Mutex<BTreeMap<&'static str, u64>>,
    observed: Mutex<BTreeMap<&'static str, u64>>,
    upstream_errors: Mutex<BTreeMap<&'static str, u64>>,
}

impl Metrics {
    pub(crate) fn answered(&self, status: u16) {
        if let Some(counter) = self.answers.get(usize::from(status / 100)) {
            count(counter);
        }
    }

    pub(crate) fn denied(&self, reason: &'static str) {
        bump(&self.denials, reason);
    }

    pub(crate) fn would_deny(&self, reason: &'static str) {
        bump(&self.observed, reason);
    }

    pub(crate) fn upstream_failed(&self, reason: &'static str) {
        bump(&self.upstream_errors, reason);
    }

    /// The text for `/metrics`.
    pub(crate) fn text(&self, remembered: usize, revocations: usize) -> String {
        let mut text = String::with_capacity(2048);
        head(
            &mut text,
            "portcullis_gateway_requests_total",
            "counter",
            "Requests answered, by class of status.",
        );
        for (class, counter) in self.answers.iter().enumerate().skip(1) {
            line(
                &mut text,
                "portcullis_gateway_requests_total",
                &format!("{{status=\"{class}xx\"}}"),
                read(counter),
            );
        }
        for (name, help, label, map) in [
            ("portcullis_gateway_denials_total", "Requests refused, by reason.", "reason", &self.denials),
            (
                "portcullis_gateway_observed_denials_total",
                "What observe mode let pass.",
                "reason",
                &self.observed,
            ),
            ("portcullis_gateway_upstream_errors_total", "Backend failures.", "kind", &self.upstream_errors),
        ] {
            head(&mut text, name, "counter", help);
            for (value, total) in map.lock().unwrap_or_else(PoisonError::into_inner).iter() {
                line(&mut text, name, &format!("{{{label}=\"{value}\"}}"), *total);
            }
        }
        for (name, kind, help, value) in [
            (
                "portcullis_gateway_remembered_hits_total",
                "counter",
                "Tokens known already.",
                read(&self.remembered_hits),
            ),
            (
                "portcullis_gateway_remembered_misses_total",
                "counter",
                "Tokens verified.",
                read(&self.remembered_misses),
            ),
            ("portcullis_gateway_remembered_tokens", "gauge", "Tokens remembered now.", remembered as u64),
            ("portcullis_gateway_revocations", "gauge", "Revocations known now.", revocations as u64),
            (
                "portcullis_gateway_key_fetches_total",
                "counter",
                "Key sets asked for.",
                read(&self.key_fetches),
            ),
            (
                "portcullis_gateway_key_fetch_failures_total",
                "counter",
                "Key sets not had.",
                read(&self.key_fetch_failures),
            ),
            (
                "portcullis_gateway_api_key_uses_total",
                "counter",
                "API keys accepted.",
                read(&self.api_key_uses),
            ),
            (
                "portcullis_gateway_api_key_uses_unrecorded_total",
                "counter",
                "Uses of API keys that could not be queued for recording.",
                read(&self.api_key_uses_unrecorded),
            ),
            ("portcullis_gateway_tunnels", "gauge", "WebSocket connections open.", read(&self.tunnels)),
            ("portcullis_gateway_connections", "gauge", "Client connections open.", read(&self.connections)),
        ] {
            head(&mut text, name, kind, help);
            line(&mut text, name, "", value);
        }
        text
    }
}

/// One more.
pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// A gauge that falls when this is dropped.
#[derive(Debug)]
pub(crate) struct Open<'a>(&'a AtomicU64);

impl<'a> Open<'a> {
    pub(crate) fn new(gauge: &'a AtomicU64) -> Self {
        count(gauge);
        Self(gauge)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn bump(map: &Mutex<BTreeMap<&'static str, u64>>, key: &'static str) {
    *map.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default() += 1;
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
}

fn line(text: &mut String, name: &str, labels: &str, value: u64) {
    let _ = writeln!(text, "{name}{labels} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_prometheus() {
        let metrics = Metrics::default();
        metrics.answered(200);
        metrics.answered(403);
        metrics.denied("insufficient_scope");
        count(&metrics.remembered_hits);
        let text = metrics.text(3, 1);
        for wanted in [
            "portcullis_gateway_requests_total{status=\"2xx\"} 1\n",
            "portcullis_gateway_requests_total{status=\"4xx\"} 1\n",
            "portcullis_gateway_denials_total{reason=\"insufficient_scope\"} 1\n",
            "portcullis_gateway_remembered_hits_total 1\n",
            "portcullis_gateway_remembered_tokens 3\n",
        ] {
            assert!(text.contains(wanted), "{wanted} in\n{text}");
        }
    }
}
