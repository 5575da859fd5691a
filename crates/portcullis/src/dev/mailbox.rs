//! The mailbox of `dev`: letters stay in memory, where a developer, a test or the auditor reads them.

use async_trait::async_trait;
use axum::{Json, Router, extract::State, routing::get};
use identity::{DeliveryError, Letter, Postman};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Letters that are kept; older ones make room.
const KEPT: usize = 200;

/// Takes letters in, and passes them on where a mail server is configured.
#[derive(Clone, Default)]
pub struct Mailbox {
    letters: Arc<Mutex<VecDeque<Letter>>>,
    onward: Option<Arc<dyn Postman>>,
}

impl Mailbox {
    /// A mailbox that also sends by `onward`.
    pub fn new(onward: Option<Arc<dyn Postman>>) -> Self {
        Mailbox { letters: Arc::default(), onward }
    }

    /// `GET /mailbox`: a JSON array of `to`, `subject`, `text`, `html`, oldest first.
    pub fn router(&self) -> Router {
        Router::new().route("/mailbox", get(list)).with_state(self.clone())
    }
}

async fn list(State(mailbox): State<Mailbox>) -> Json<Vec<Value>> {
    let letters = mailbox.letters.lock().unwrap_or_else(PoisonError::into_inner);
    Json(
        letters
            .iter()
            .map(|letter| {
                json!({ "to": letter.to, "subject": letter.subject, "text": letter.text, "html": letter.html })
            })
            .collect(),
    )
}

#[async_trait]
impl Postman for Mailbox {
    async fn deliver(&self, letter: &Letter) -> Result<(), DeliveryError> {
        if let Some(onward) = &self.onward {
            onward.deliver(letter).await?;
        }
        let mut letters = self.letters.lock().unwrap_or_else(PoisonError::into_inner);
        if letters.len() == KEPT {
            letters.pop_front();
        }
        letters.push_back(letter.clone());
        Ok(())
    }
}
