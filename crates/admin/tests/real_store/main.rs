//! Administration on a real SQLCipher store in a temporary folder.

mod api_keys;
mod apply;
mod console;
mod nouns;
mod world;
