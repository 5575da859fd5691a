//! Whether an origin serves what lies beside its files: the repository, the environment.

use crate::evidence::Transcript;
use crate::world::World;
use crate::world::http::{Answer, Probe};

use super::shipped;

/// Whether a body is what a path is feared to serve.
type IsIt = fn(&[u8]) -> bool;

/// Paths, and what their content looks like: a page that answers everything with its own HTML serves none of them.
const PATHS: [(&str, IsIt); 4] = [
    ("/.git/HEAD", is_head),
    ("/.git/config", is_git_config),
    ("/.env", is_environment),
    ("/.env.production", is_environment),
];

/// One path of one origin.
pub(super) struct Served {
    pub(super) url: String,
    /// None: it could not be told.
    pub(super) open: Option<bool>,
    pub(super) told: String,
    /// What the origin answers otherwise.
    pub(super) control: String,
    pub(super) transcript: Option<Transcript>,
}

pub(super) async fn observe(world: &World) -> Vec<Served> {
    let mut origins: Vec<String> = Vec::new();
    let frontend = shipped::frontend(world);
    for address in frontend.iter().chain([&world.config.target, &world.config.issuer]) {
        let origin = url::Url::parse(address).ok().map(|url| url.origin().ascii_serialization());
        origins.extend(origin.filter(|origin| !origins.contains(origin)));
    }
    let mut seen = Vec::new();
    for origin in origins {
        let control = world.http.send(Probe::new("GET", format!("{origin}/"))).await;
        let control = control.map(|answer| format!("{origin}/ answers {}", answer.status));
        for (path, is_it) in PATHS {
            let url = format!("{origin}{path}");
            let answer = world.http.send(Probe::new("GET", &url)).await;
            seen.push(match (&control, answer) {
                (Err(why), _) => unknown(url, format!("could not be asked: {why}")),
                (Ok(_), Err(why)) => unknown(url, format!("did not answer: {why}")),
                (Ok(control), Ok(answer)) => one(url, &answer, is_it, control),
            });
        }
    }
    seen
}

fn unknown(url: String, told: String) -> Served {
    Served { url, open: None, told, control: String::new(), transcript: None }
}

fn one(url: String, answer: &Answer, is_it: IsIt, control: &str) -> Served {
    let open = answer.status == 200 && is_it(&answer.body);
    let told = match (open, answer.status) {
        (true, _) => "is served".to_owned(),
        (false, 200) => "is answered with something else".to_owned(),
        (false, status) => format!("is answered {status}"),
    };
    let transcript = open.then(|| answer.transcript.clone());
    Served { url, open: Some(open), told, control: control.to_owned(), transcript }
}

fn is_head(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    body.starts_with(b"ref: refs/")
        || (matches!(body.len(), 40 | 64) && body.iter().all(u8::is_ascii_hexdigit))
}

fn is_git_config(body: &[u8]) -> bool {
    body.windows(6).any(|window| window == b"[core]")
}

/// A line `NAME=…`, and no HTML.
fn is_environment(body: &[u8]) -> bool {
    let name = |line: &[u8]| {
        let line = line.strip_prefix(b"export ").unwrap_or(line);
        let equals = line.iter().position(|byte| *byte == b'=');
        equals.is_some_and(|at| {
            at > 0
                && line[..at]
                    .iter()
                    .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
        })
    };
    !body.trim_ascii_start().starts_with(b"<") && body.split(|byte| *byte == b'\n').any(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_answers_everything_serves_no_dot_file() {
        let page = b"<!doctype html><script>A=1</script>\nX=1";
        for (_, is_it) in PATHS {
            assert!(!is_it(page));
        }
        assert!(is_head(b"ref: refs/heads/main\n") && is_head(&[b'a'; 40]));
        assert!(is_git_config(b"[core]\n\tbare = false\n"));
        assert!(
            is_environment(b"# settings\nexport DB_URL=x\n")
                && !is_environment(b"{\"error\": \"not found\"}")
        );
    }
}
