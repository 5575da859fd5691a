//! A labelled corpus, built from a seed: keys drawn at random in the forms that their vendors publish, in files as people
//! write them, and beside them what only looks like a key. Also ways to hide a key that a scanner of lines cannot see:
//! they count as missed.

mod kinds;
mod look_alikes;

use std::collections::BTreeSet;
use std::path::Path;

pub use kinds::KINDS;

/// SplitMix64: small, and the same everywhere.
pub struct Draw(pub u64);

impl Draw {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub fn of(&mut self, alphabet: &str, count: usize) -> String {
        let letters: Vec<char> = alphabet.chars().collect();
        (0..count).map(|_| letters[self.below(letters.len())]).collect()
    }

    pub fn one<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len())]
    }

    pub fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

pub const HEX: &str = "0123456789abcdef";
pub const BASE62: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
pub const URL_SAFE: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_-";
pub const BASE64: &str = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+/";
pub const UPPER: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// Where a key was planted: any of these lines counts as found.
pub struct Planted {
    pub kind: &'static str,
    pub file: String,
    pub first: usize,
    pub last: usize,
}

/// Lines between the interesting ones.
const FILLER: [&str; 10] = [
    "# settings of the service",
    "LOG_LEVEL=info",
    "PORT=8080",
    "retries: 3",
    "import os",
    "const timeout = 30_000;",
    "function connect(options) { return new Client(options); }",
    "    return response.status_code == 200",
    "",
    "// see the manual",
];

/// Writes the files, and says where the keys are. Everything else that a tool reports is wrong.
pub fn build(folder: &Path, seed: u64) -> Vec<Planted> {
    let mut draw = Draw(seed);
    let mut planted = Vec::new();
    for (number, kind) in KINDS.iter().enumerate() {
        for copy in 0..kind.places.len() {
            let (name, line) = (kind.places[copy].0, kind.places[copy].1);
            let secret = (kind.make)(&mut draw);
            let file = format!("planted/{number:02}-{copy}/{name}");
            let before = 1 + draw.below(6);
            let mut text = String::new();
            for _ in 0..before {
                text.push_str(draw.one(&FILLER));
                text.push('\n');
            }
            let body = line.replace("@", &secret);
            let lines = body.lines().count();
            text.push_str(&body);
            text.push('\n');
            for _ in 0..draw.below(5) {
                text.push_str(draw.one(&FILLER));
                text.push('\n');
            }
            write(folder, &file, &text);
            planted.push(Planted { kind: kind.id, file, first: before + 1, last: before + lines });
        }
    }
    for (file, text) in look_alikes::files(&mut draw) {
        write(folder, &format!("look-alikes/{file}"), &text);
    }
    planted
}

fn write(folder: &Path, file: &str, text: &str) {
    let path = folder.join(file);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// How a tool did: lines that are right, lines that are wrong, keys that were found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    pub right: usize,
    pub wrong: usize,
    pub found: usize,
    pub of: usize,
}

impl Score {
    pub fn precision(self) -> f64 {
        self.right as f64 / ((self.right + self.wrong).max(1)) as f64
    }

    pub fn recall(self) -> f64 {
        self.found as f64 / self.of as f64
    }
}

/// Each reported line counts once, however many rules of the tool report it.
pub fn score(planted: &[Planted], reported: &BTreeSet<(String, usize)>) -> Score {
    let is_planted = |(file, line): &&(String, usize)| {
        planted.iter().any(|one| one.file == *file && (one.first..=one.last).contains(line))
    };
    let right = reported.iter().filter(is_planted).count();
    let found = planted
        .iter()
        .filter(|one| {
            reported.iter().any(|(file, line)| one.file == *file && (one.first..=one.last).contains(line))
        })
        .count();
    Score { right, wrong: reported.len() - right, found, of: planted.len() }
}
