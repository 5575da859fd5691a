//! The backend that `dev` runs when it is given none: a catalogue for programs, notes for users. It knows its
//! callers by the gateway's headers alone, as a real backend behind Portcullis would.

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Its OpenAPI document, from which the gateway takes its rules.
pub const OPENAPI: &str = include_str!("sample-openapi.yaml");

#[derive(Clone, Serialize)]
struct Item {
    id: usize,
    name: String,
}

#[derive(Clone, Serialize)]
struct Note {
    id: usize,
    #[serde(skip)]
    owner: String,
    text: String,
}

struct Shelf {
    catalogue: Vec<Item>,
    notes: Vec<Note>,
    written: usize,
}

type Shared = Arc<Mutex<Shelf>>;

/// The backend.
pub fn router() -> Router {
    let catalogue = ["portcullis, oak", "portcullis, iron"]
        .into_iter()
        .enumerate()
        .map(|(index, name)| Item { id: index + 1, name: name.to_owned() })
        .collect();
    let shelf = Shelf { catalogue, notes: Vec::new(), written: 0 };
    Router::new()
        .route("/catalogue", get(list_catalogue).post(add_to_catalogue))
        .route("/catalogue/{id}", get(show_item))
        .route("/notes", get(list_notes).post(write_note))
        .route("/notes/{id}", get(show_note).delete(delete_note))
        .route("/health", get(|| async { StatusCode::NO_CONTENT }))
        .route("/always-500", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .with_state(Arc::new(Mutex::new(shelf)))
}

fn lock(shared: &Shared) -> MutexGuard<'_, Shelf> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn subject(headers: &HeaderMap) -> String {
    headers.get("x-auth-subject").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned()
}

async fn list_catalogue(State(shared): State<Shared>) -> Json<Vec<Item>> {
    Json(lock(&shared).catalogue.clone())
}

#[derive(Deserialize)]
struct NewItem {
    name: String,
}

async fn add_to_catalogue(State(shared): State<Shared>, Json(new): Json<NewItem>) -> Response {
    let mut shelf = lock(&shared);
    let item = Item { id: shelf.catalogue.len() + 1, name: new.name };
    shelf.catalogue.push(item.clone());
    (StatusCode::CREATED, Json(item)).into_response()
}

async fn show_item(State(shared): State<Shared>, Path(id): Path<usize>) -> Response {
    match lock(&shared).catalogue.iter().find(|item| item.id == id) {
        Some(item) => Json(item.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn list_notes(State(shared): State<Shared>, headers: HeaderMap) -> Json<Vec<Note>> {
    let owner = subject(&headers);
    Json(lock(&shared).notes.iter().filter(|note| note.owner == owner).cloned().collect())
}

#[derive(Deserialize)]
struct NewNote {
    text: String,
}

async fn write_note(State(shared): State<Shared>, headers: HeaderMap, Json(new): Json<NewNote>) -> Response {
    let mut shelf = lock(&shared);
    shelf.written += 1;
    let note = Note { id: shelf.written, owner: subject(&headers), text: new.text };
    shelf.notes.push(note.clone());
    (StatusCode::CREATED, Json(note)).into_response()
}

async fn show_note(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<usize>) -> Response {
    let owner = subject(&headers);
    match lock(&shared).notes.iter().find(|note| note.id == id && note.owner == owner) {
        Some(note) => Json(note.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn delete_note(State(shared): State<Shared>, headers: HeaderMap, Path(id): Path<usize>) -> StatusCode {
    let owner = subject(&headers);
    let mut shelf = lock(&shared);
    let before = shelf.notes.len();
    shelf.notes.retain(|note| note.id != id || note.owner != owner);
    if shelf.notes.len() < before { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}
