//! The files as they are written.

use super::found::Found;
use ::audit::dependencies::Ecosystem;
use std::collections::BTreeMap;

/// The step for GitHub's CI.
pub const WORKFLOW: &str = include_str!("workflow.yml");
/// The step for GitLab's.
pub const GITLAB: &str = include_str!("gitlab.yml");

/// `portcullis.toml` for a developer's machine, with what to change for production beside it.
pub fn configuration(found: &Found) -> String {
    let mut text = String::from(
        "# Portcullis, as `portcullis init` found this repository. What each key means: docs/configuration.md of Portcullis.\n\
         # `portcullis check` reads this file as `serve` would and names what would refuse to start.\n\n\
         # development, staging or production; without this line it is production.\n\
         environment = \"development\"\n\n\
         [identity]\n\
         issuer = \"http://localhost:4400/\"          # in production: https, and the name that everybody sees\n\
         listen = \"127.0.0.1:4400\"\n\
         key_encryption_key_file = \"data/kek\"       # made at the first start; keep data/ out of git\n\n\
         [gateway]\n\
         listen = \"127.0.0.1:4401\"\n",
    );
    text.push_str(&format!("upstream = {}    # {}\n", quoted(&found.upstream.url), found.upstream.because));
    text.push_str("audience = \"http://localhost:4401\"          # in production: the API's public URL\n");
    match &found.openapi {
        Some(file) => text.push_str(&format!("openapi = {}\n", quoted(file))),
        None => text.push_str("# openapi = \"openapi.yaml\"                  # none was found; without rules every request is refused\n"),
    }
    match &found.frontend {
        Some((origin, file)) => {
            text.push_str(&format!("frontend_origins = [{}]    # {file}\n", quoted(origin)));
        }
        None => text.push_str("# frontend_origins = [\"http://localhost:5173\"]\n"),
    }
    text.push_str("\n[operations]\nlisten = \"127.0.0.1:4402\"\n\n[audit]\n");
    // Nothing is commented out behind the last key: what is added to the file begins a table there.
    text.push_str("# advisories = \"../advisory-db\"             # or https://github.com/rustsec/advisory-db, which is fetched\n");
    match &found.document {
        Some((file, _)) => text.push_str(&format!("document = {}\n", quoted(file))),
        None => text.push_str("# document = \"docs/security-measures.md\"    # a Markdown checklist\n"),
    }
    text.push_str(
        "repository = \".\"\n\
         target = \"http://localhost:4401\"\n\
         state = \"data/audit\"                     # signed reports and the key that signs them\n",
    );
    if !found.railway.is_empty() {
        text.push_str(&format!(
            "\n# {}: on Railway the platform is asked for open TCP proxies, too.\n\
             # [audit.railway]\n\
             # token_file = \"data/railway.token\"         # a project token of the environment\n",
            found.railway.join(", ")
        ));
    }
    text
}

/// `.github/dependabot.yml` for exactly these folders.
pub fn dependabot(to_cover: &BTreeMap<Ecosystem, Vec<String>>) -> String {
    let mut text =
        String::from("# Every ecosystem of this repository, as `portcullis init` found it.\nversion: 2\n");
    text.push_str(if to_cover.is_empty() { "updates: []\n" } else { "updates:\n" });
    for (ecosystem, folders) in to_cover {
        text.push_str(&format!("  - package-ecosystem: {ecosystem}\n"));
        match folders.as_slice() {
            [folder] => text.push_str(&format!("    directory: {}\n", quoted(&format!("/{folder}")))),
            folders => {
                text.push_str("    directories:\n");
                for folder in folders {
                    text.push_str(&format!("      - {}\n", quoted(&format!("/{folder}"))));
                }
            }
        }
        text.push_str("    schedule:\n      interval: weekly\n");
    }
    text
}

/// A text as TOML and YAML both read it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
