//! What a repository shows: OpenAPI documents, Railway's files, the document of security measures, manifests, and where
//! its backend probably listens.

use ::audit::dependencies::{Ecosystem, Manifests, Repository, Tree, coverage, unlocked};
use ::audit::terminal::one_line;
use ::audit::{Document, MeasureId};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// The step for CI that `init` writes.
pub const WORKFLOW: &str = ".github/workflows/portcullis.yml";
/// How much of a file is looked at to see what it is.
const HEAD: usize = 8 * 1024;
/// A document of measures has at least so many of them.
const MEASURES: usize = 2;

/// A guess at the backend's address, and what it rests on.
pub struct Upstream {
    /// `http://localhost:3000`.
    pub url: String,
    /// `EXPOSE 8000 in Dockerfile`.
    pub because: String,
}

/// Everything.
pub struct Found {
    /// The repository's top folder, or the folder itself.
    pub root: PathBuf,
    /// The OpenAPI document, the one nearest to the root.
    pub openapi: Option<String>,
    /// Others, and those of a version that cannot be used.
    pub other_openapi: Vec<String>,
    /// `railway.json`, `railway.toml`.
    pub railway: Vec<String>,
    /// The checklist with the most measures in it, and how many.
    pub document: Option<(String, usize)>,
    /// Where the backend listens.
    pub upstream: Upstream,
    /// Where the frontend of a developer is served, by its tool.
    pub frontend: Option<(&'static str, String)>,
    /// Ecosystems and their folders.
    pub to_cover: BTreeMap<Ecosystem, Vec<String>>,
    /// What a configured update tool leaves out; none where there is no tool.
    pub update_tool_lacks: Option<Vec<String>>,
    /// Renovate's configuration, where that is the tool.
    pub renovate: Option<&'static str>,
    /// Manifests without a lockfile, or with one that does not meet them.
    pub unlocked: Vec<String>,
    /// The file of Dependabot's that is there, or is to be.
    pub dependabot: &'static str,
    /// Whether CI is GitLab's.
    pub gitlab: bool,
}

impl Found {
    /// Looks through the repository that a folder belongs to.
    pub fn look(folder: &Path) -> Self {
        let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
        let (root, tree) = match Repository::of(&folder)
            .and_then(|repository| Ok((repository.root().to_owned(), repository.tree()?)))
        {
            Ok(found) => found,
            Err(_) => (folder.clone(), Tree::of_folder(&folder)),
        };
        let has = |path: &str| tree.files().any(|file| file == path);
        let gitlab = has(".gitlab-ci.yml");
        let (openapi, other_openapi) = openapi(&tree);
        let upstream = upstream(&tree, openapi.as_deref());
        let frontend = frontend(&tree);
        let railway = tree
            .files()
            .filter(|path| matches!(name(path), "railway.json" | "railway.toml"))
            .map(str::to_owned)
            .collect();
        let document = document(&tree);
        let dependabot =
            if has(".github/dependabot.yaml") { ".github/dependabot.yaml" } else { ".github/dependabot.yml" };
        let renovate = [
            "renovate.json",
            "renovate.json5",
            ".github/renovate.json",
            ".github/renovate.json5",
            ".renovaterc",
            ".renovaterc.json",
            ".renovaterc.json5",
        ]
        .into_iter()
        .find(|path| has(path));
        // The step that is written now is kept current like the others.
        let tree = if gitlab { tree } else { tree.and(WORKFLOW) };
        let manifests = Manifests::of(&tree);
        Found {
            update_tool_lacks: coverage::gaps(&tree, &manifests),
            to_cover: manifests.to_cover(),
            unlocked: unlocked(&tree, &manifests),
            root,
            openapi,
            other_openapi,
            railway,
            document,
            upstream,
            frontend,
            renovate,
            dependabot,
            gitlab,
        }
    }

    /// For programs.
    pub fn to_json(&self) -> Value {
        let ecosystems: BTreeMap<&str, &Vec<String>> =
            self.to_cover.iter().map(|(ecosystem, folders)| (ecosystem.dependabot(), folders)).collect();
        json!({
            "openapi": self.openapi,
            "other_openapi": self.other_openapi,
            "railway": self.railway,
            "document": self.document.as_ref().map(|(file, _)| file),
            "upstream": self.upstream.url,
            "ecosystems": ecosystems,
            "unlocked": self.unlocked,
        })
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |f: &mut fmt::Formatter<'_>, what: &str, value: &str| {
            // Names that somebody gave to files and folders.
            writeln!(f, "{what:<12} {}", one_line(value))
        };
        line(
            f,
            "openapi",
            self.openapi.as_deref().unwrap_or("none found: the sample's routes until you name one"),
        )?;
        for other in &self.other_openapi {
            line(f, "", other)?;
        }
        if !self.railway.is_empty() {
            line(f, "railway", &self.railway.join(", "))?;
        }
        match &self.document {
            Some((file, measures)) => line(f, "document", &format!("{file} ({measures} measures)"))?,
            None => line(f, "document", "no checklist of security measures found")?,
        }
        line(f, "upstream", &format!("{} ({})", self.upstream.url, self.upstream.because))?;
        let ecosystems: Vec<String> = self
            .to_cover
            .iter()
            .map(|(ecosystem, folders)| format!("{ecosystem} {}", folders.len()))
            .collect();
        line(f, "manifests", &ecosystems.join(", "))?;
        for (at, fault) in self.unlocked.iter().enumerate() {
            line(f, if at == 0 { "not locked" } else { "" }, &format!("{fault}; G2 will fail on it"))?;
        }
        writeln!(f)
    }
}

fn name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn depth(path: &str) -> usize {
    path.matches('/').count()
}

/// The document nearest to the root that can be used, and the others with what they are.
fn openapi(tree: &Tree) -> (Option<String>, Vec<String>) {
    let mut usable = Vec::new();
    let mut others = Vec::new();
    let written =
        tree.files().filter(|path| [".yaml", ".yml", ".json"].iter().any(|ending| path.ends_with(ending)));
    for path in written {
        let Some(text) = tree.text(path) else { continue };
        let head: String = text.chars().take(HEAD).collect();
        match version(&head) {
            Some(version) if version.starts_with('3') && text.contains("paths") => {
                usable.push(path.to_owned())
            }
            Some(version) => others.push(format!("{path} (version {version}, of no use here)")),
            None => {}
        }
    }
    // Samples of tests and generated copies lie deeper as a rule.
    usable.sort_by_key(|path| (is_of_tests(path), depth(path), path.clone()));
    let mut usable = usable.into_iter();
    let first = usable.next();
    (first, usable.chain(others).collect())
}

fn is_of_tests(path: &str) -> bool {
    path.split('/')
        .any(|part| matches!(part, "test" | "tests" | "__tests__" | "fixtures" | "examples" | "vendor"))
}

/// What stands behind `openapi:` or `swagger:` at the top.
fn version(head: &str) -> Option<String> {
    let lines = head.lines().map(str::trim_end);
    let mut keys = lines.filter(|line| {
        let bare = line.trim_start_matches([' ', '\t', '{', '"']);
        (bare.starts_with("openapi") || bare.starts_with("swagger"))
            && (!line.starts_with(' ') || head.trim_start().starts_with('{'))
    });
    let line = keys.next()?;
    let (_, value) = line.split_once(':')?;
    let value = value.split(',').next()?.trim().trim_matches(['"', '\'']);
    value.starts_with(|c: char| c.is_ascii_digit()).then(|| value.to_owned())
}

/// The checklist that speaks of most measures.
fn document(tree: &Tree) -> Option<(String, usize)> {
    let written = tree.files().filter(|path| path.ends_with(".md"));
    let counted = written.filter_map(|path| {
        let text = tree.text(path).filter(|text| text.contains("[ ]") || text.contains("[x]"))?;
        let document = Document::parse(&text);
        let measures = MeasureId::ALL.into_iter().filter(|id| document.line_of(*id).is_some()).count();
        (measures >= MEASURES).then(|| (path.to_owned(), measures))
    });
    counted.max_by_key(|(path, measures)| {
        (!is_of_tests(path), *measures, std::cmp::Reverse((depth(path), path.clone())))
    })
}

/// The first of these that says it; else what is usual.
fn upstream(tree: &Tree, openapi: Option<&str>) -> Upstream {
    let local = |url: &str| url.starts_with("http://localhost") || url.starts_with("http://127.0.0.1");
    if let Some(file) = openapi
        && let Some(text) = tree.text(file)
        && let Some(url) = text.split(['"', '\'', ' ', '\n', '\r']).find(|word| local(word))
        && let Ok(url) = url::Url::parse(url)
    {
        return Upstream { url: url.origin().ascii_serialization(), because: format!("a server of {file}") };
    }
    let mut dockerfiles: Vec<&str> =
        tree.files().filter(|path| name(path).starts_with("Dockerfile")).collect();
    dockerfiles.sort_by_key(|path| (is_of_tests(path), depth(path)));
    for file in dockerfiles {
        let text = tree.text(file).unwrap_or_default();
        let port = text.lines().find_map(|line| {
            line.trim().strip_prefix("EXPOSE ")?.split(['/', ' ']).next()?.parse::<u16>().ok()
        });
        if let Some(port) = port {
            return Upstream {
                url: format!("http://localhost:{port}"),
                because: format!("EXPOSE {port} in {file}"),
            };
        }
    }
    for file in [".env.example", ".env.sample", ".env.template"] {
        let text = tree.text(file).unwrap_or_default();
        let port =
            text.lines().find_map(|line| line.trim().strip_prefix("PORT=")?.trim().parse::<u16>().ok());
        if let Some(port) = port {
            return Upstream { url: format!("http://localhost:{port}"), because: format!("PORT in {file}") };
        }
    }
    Upstream { url: "http://localhost:3000".to_owned(), because: "a guess: nothing here says it".to_owned() }
}

/// The tools that serve a frontend while it is written, and their usual ports.
fn frontend(tree: &Tree) -> Option<(&'static str, String)> {
    for (stem, origin) in [
        ("vite.config.", "http://localhost:5173"),
        ("svelte.config.", "http://localhost:5173"),
        ("angular.json", "http://localhost:4200"),
        ("next.config.", "http://localhost:3000"),
        ("nuxt.config.", "http://localhost:3000"),
    ] {
        if let Some(path) = tree.files().find(|path| name(path).starts_with(stem)) {
            return Some((origin, path.to_owned()));
        }
    }
    None
}
