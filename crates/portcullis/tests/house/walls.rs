//! The walls between the rooms, read from what cargo resolved: a room that is not on the list of another cannot be
//! reached from it, not even through a third.

use crate::graph::{Edge, Graph};

/// Each room and every room that it may reach in a release.
const WALLS: [(&str, &[&str]); 13] = [
    // The court knows nobody.
    ("jose", &[]),
    ("policy", &[]),
    ("accounts", &[]),
    ("oauth", &["policy"]),
    // Plain rows: the store knows no decision.
    ("store", &[]),
    ("identity", &["accounts", "jose", "oauth", "policy", "store"]),
    ("admin", &["accounts", "oauth", "policy", "store"]),
    // Database credentials: its journal rests in the store; a foreign password is held against the list of `accounts`.
    ("steward", &["accounts", "store"]),
    // No line to the store, so no way to a password hash.
    ("gateway", &["jose", "policy"]),
    // Stands outside, so that it cannot share the others' mistakes.
    ("audit", &[]),
    ("testkit", &[]),
    // Measures the binary from outside.
    ("benches", &[]),
    (
        "portcullis",
        &["accounts", "admin", "audit", "gateway", "identity", "jose", "oauth", "policy", "steward", "store"],
    ),
];

/// The rooms of pure decisions.
const COURT: [&str; 4] = ["jose", "policy", "accounts", "oauth"];

/// What the court may not be made of, however deep: run-times, servers, databases, clocks, randomness. The exception is
/// aws-lc-rs, which draws its own randomness when it signs; keys are made in `identity`.
const NOT_IN_COURT: [&str; 21] = [
    "async-std",
    "axum",
    "axum-core",
    "chrono",
    "fastrand",
    "hyper",
    "hyper-util",
    "lettre",
    "libsqlite3-sys",
    "mio",
    "rand",
    "rustls",
    "sea-orm",
    "smol",
    "socket2",
    "sqlx",
    "sqlx-core",
    "tempfile",
    "time",
    "tokio",
    "tower",
];

/// What the court may not ask for itself, though a library that it uses may carry it along.
const NOT_ASKED_BY_COURT: [&str; 3] = ["getrandom", "rand_core", "tracing"];

/// What must not be reached from rooms that are no court.
const NOT_IN: [(&str, &[&str]); 2] = [
    ("gateway", &["sea-orm", "sqlx", "sqlx-core", "libsqlite3-sys", "argon2", "lettre"]),
    ("audit", &["sea-orm", "axum", "argon2", "jsonwebtoken"]),
];

/// Every broken wall, in words.
fn broken(graph: &Graph) -> Vec<String> {
    let mut broken = Vec::new();
    for room in graph.rooms() {
        let name = room.name.as_str();
        let Some((_, allowed)) = WALLS.iter().find(|(known, _)| *known == name) else {
            broken.push(format!("{name} is a room without walls: say in WALLS whom it may know"));
            continue;
        };
        let is_room = |other: &str| graph.rooms().iter().any(|room| room.name.as_str() == other);
        let elsewhere = NOT_IN.iter().filter(|(room, _)| *room == name).flat_map(|(_, list)| list.iter());
        let mut forbidden: Vec<&str> = elsewhere.copied().collect();
        if COURT.contains(&name) {
            forbidden.extend(NOT_IN_COURT);
            let direct = graph.direct(&room.id, Edge::Release);
            let asked = direct.iter().filter(|package| NOT_ASKED_BY_COURT.contains(&package.name.as_str()));
            broken.extend(asked.map(|package| format!("{name} is court and asks for {}", package.name)));
        }
        for (package, way) in graph.reach(&room.id) {
            let reached = package.name.as_str();
            if forbidden.contains(&reached) || (is_room(reached) && !allowed.contains(&reached)) {
                broken.push(format!("{name} must not reach {reached}: {}", way.join(" -> ")));
            }
        }
        let tested_with = graph.direct(&room.id, Edge::Development);
        let wrong =
            tested_with.iter().filter(|package| is_room(&package.name) && package.name.as_str() != "testkit");
        broken
            .extend(wrong.map(|package| {
                format!("{name} is tested with {}: testkit alone is for tests", package.name)
            }));
    }
    broken
}

#[test]
fn every_wall_stands() {
    let broken = broken(&Graph::of_this_repository());
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_list_names_every_room_and_no_other() {
    let graph = Graph::of_this_repository();
    let mut rooms: Vec<_> = graph.rooms().iter().map(|room| room.name.to_string()).collect();
    let mut listed: Vec<_> = WALLS.iter().map(|(name, _)| (*name).to_owned()).collect();
    rooms.sort();
    listed.sort();
    assert_eq!(rooms, listed);
}

/// The check is worth something only if it refuses: workspaces of the same names, each with one wall broken.
#[test]
fn a_planted_breach_is_found() {
    let cases = [
        (
            "a room by one step",
            "gateway",
            "[dependencies]\nstore = { path = \"../store\" }",
            "gateway must not reach store",
        ),
        (
            "a room through a third",
            "gateway",
            "[dependencies]\nbetween = { path = \"../../outside/between\" }",
            "gateway must not reach store: gateway -> between -> store",
        ),
        (
            "a room at build time",
            "audit",
            "[build-dependencies]\njose = { path = \"../jose\" }",
            "audit must not reach jose",
        ),
        (
            "a runtime in the court",
            "policy",
            "[dependencies]\ntokio = { path = \"../../outside/tokio\" }",
            "policy must not reach tokio",
        ),
        (
            "a runtime behind an alias",
            "policy",
            "[dependencies]\nquiet = { package = \"tokio\", path = \"../../outside/tokio\" }",
            "policy must not reach tokio",
        ),
        (
            "randomness in the court",
            "accounts",
            "[dependencies]\ngetrandom = { path = \"../../outside/getrandom\" }",
            "accounts is court and asks for getrandom",
        ),
        (
            "a room for tests",
            "identity",
            "[dev-dependencies]\ngateway = { path = \"../gateway\" }",
            "identity is tested with gateway",
        ),
        (
            "the test kit in a release",
            "identity",
            "[dependencies]\ntestkit = { path = \"../testkit\" }",
            "identity must not reach testkit",
        ),
        ("a room that nobody listed", "common", "", "common is a room without walls"),
    ];
    for (what, room, lines, expected) in cases {
        let folder = planted(room, lines);
        let broken = broken(&Graph::of(&folder.path().join("Cargo.toml")));
        assert!(broken.iter().any(|line| line.starts_with(expected)), "{what}: {broken:?}");
    }
}

#[test]
fn a_planted_sound_house_is_accepted() {
    let folder = planted(
        "identity",
        "[dependencies]\nstore = { path = \"../store\" }\n[dev-dependencies]\ntestkit = { path = \"../testkit\" }",
    );
    let broken = broken(&Graph::of(&folder.path().join("Cargo.toml")));
    assert!(broken.is_empty(), "{broken:?}");
}

/// A workspace of all rooms, empty, and a few packages beside it; one room gets these lines.
fn planted(room: &str, lines: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: String, text: String| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let package =
        |name: &str| format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n");
    write(
        "Cargo.toml".into(),
        "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\nexclude = [\"outside\"]\n".into(),
    );
    let rooms = WALLS.iter().map(|(name, _)| *name).filter(|name| *name != room);
    for name in rooms {
        write(format!("crates/{name}/Cargo.toml"), package(name));
        write(format!("crates/{name}/src/lib.rs"), String::new());
    }
    write(format!("crates/{room}/Cargo.toml"), format!("{}{lines}\n", package(room)));
    write(format!("crates/{room}/src/lib.rs"), String::new());
    write(format!("crates/{room}/build.rs"), "fn main() {}\n".into());
    for name in ["tokio", "getrandom", "between"] {
        let line = if name == "between" {
            "[dependencies]\nstore = { path = \"../../crates/store\" }\n"
        } else {
            ""
        };
        write(format!("outside/{name}/Cargo.toml"), format!("{}{line}", package(name)));
        write(format!("outside/{name}/src/lib.rs"), String::new());
    }
    folder
}
