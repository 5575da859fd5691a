//! What the registries say of releases: whether a newer one could have been taken, since when, and what was yanked.
//!
//! Crates are read in a sparse index: the folder or URL of `[audit] registry`, else cargo's own copy where it is fresh,
//! else crates.io. npm and PyPI are asked for what a manifest names itself.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use futures_util::StreamExt as _;
use serde_json::Value;

use super::activity::Due;
use super::locks::{Locks, Package, Registry};
use crate::config::Dependencies;
use crate::evidence::Evidence;
use crate::report::{Claim, seconds_of};
use crate::world::http::{Http, Probe};

/// The claims' ids.
pub(crate) const CURRENT: &str = "direct_dependencies_are_current";
pub(crate) const YANKED: &str = "no_locked_version_was_yanked";
/// How old a copy of an index may be.
const FRESH: i64 = 7 * 86_400;
/// Questions to a registry that are under way at once.
const AT_ONCE: usize = 12;
/// crates.io's own index.
const CRATES_IO: &str = "https://index.crates.io";

/// One release of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Release {
    pub(crate) version: String,
    pub(crate) at: Option<i64>,
    pub(crate) yanked: bool,
}

/// What was answered on each package, or why nothing was.
pub(crate) type Answers = BTreeMap<(Registry, String), Result<Vec<Release>, String>>;

/// Asks for every locked crate, and for the direct dependencies of npm and PyPI.
pub(crate) async fn observe(config: &Dependencies, locks: &Locks, agent: &str, now: i64) -> Answers {
    let http = Http::of_registry(agent.to_owned());
    let crates = locks.packages.iter().filter(|package| package.registry == Registry::Crates);
    let wanted: BTreeSet<(Registry, String)> =
        crates.chain(&locks.direct).map(|package| (package.registry, package.name.clone())).collect();
    let mut answers = Answers::new();
    let mut to_ask: BTreeMap<Registry, Vec<(String, String)>> = BTreeMap::new();
    let local = copies(config);
    for (registry, name) in wanted {
        let url = match registry {
            Registry::Crates => {
                if let Some(answer) = read(&local, &name, now) {
                    answers.insert((registry, name), answer);
                    continue;
                }
                match config.registry.as_deref() {
                    Some(folder) if !folder.contains("://") => {
                        let why = format!("{folder} has no fresh file for it");
                        answers.insert((registry, name), Err(why));
                        continue;
                    }
                    written => {
                        let index =
                            written.unwrap_or(CRATES_IO).trim_start_matches("sparse+").trim_end_matches('/');
                        format!("{index}/{}", place(&name))
                    }
                }
            }
            Registry::Npm => format!("{}/{}", config.npm.trim_end_matches('/'), name.replace('/', "%2f")),
            Registry::Pypi => format!("{}/{name}/json", config.pypi.trim_end_matches('/')),
            Registry::Go | Registry::Packagist | Registry::RubyGems => {
                answers.insert(
                    (registry, name),
                    Err(format!("releases of {} are not asked for", registry.osv())),
                );
                continue;
            }
        };
        to_ask.entry(registry).or_default().push((name, url));
    }
    for (registry, questions) in to_ask {
        // One question first: a registry that is not there is not asked five hundred times.
        let mut questions = questions.into_iter();
        let Some((name, url)) = questions.next() else { continue };
        let first = ask(&http, registry, &url).await;
        let unreachable = first.as_ref().err().filter(|(reached, _)| !reached).map(|(_, why)| why.clone());
        answers.insert((registry, name), first.map_err(|(_, why)| why));
        if let Some(why) = unreachable {
            answers.extend(questions.map(|(name, _)| ((registry, name), Err(why.clone()))));
            continue;
        }
        let asked = futures_util::stream::iter(questions)
            .map(|(name, url)| {
                let http = &http;
                async move { ((registry, name), ask(http, registry, &url).await.map_err(|(_, why)| why)) }
            })
            .buffer_unordered(AT_ONCE);
        answers.extend(asked.collect::<Vec<_>>().await);
    }
    answers
}

/// One answer; on failure whether the registry was reached at all, and why.
async fn ask(http: &Http, registry: Registry, url: &str) -> Result<Vec<Release>, (bool, String)> {
    let answer = match http.send(Probe::new("GET", url)).await {
        Ok(answer) => answer,
        Err(why) => return Err((false, format!("{url}: {why}"))),
    };
    if answer.status != 200 {
        return Err((
            answer.status < 500 && answer.status != 429,
            format!("{url} answered {}", answer.status),
        ));
    }
    let text = String::from_utf8_lossy(&answer.body);
    let releases = match registry {
        Registry::Crates => of_crate(text.lines()),
        Registry::Npm => answer.json().map(|json| of_npm(&json)).unwrap_or_default(),
        _ => answer.json().map(|json| of_pypi(&json)).unwrap_or_default(),
    };
    if releases.is_empty() { Err((true, format!("{url} names no release"))) } else { Ok(releases) }
}

/// The folders with a copy of the index of crates, and whether they are cargo's own form.
fn copies(config: &Dependencies) -> Vec<(PathBuf, bool)> {
    match (&config.registry, &config.cargo_home) {
        (Some(folder), _) if !folder.contains("://") => vec![(PathBuf::from(folder), false)],
        (Some(_), _) | (None, None) => Vec::new(),
        (None, Some(home)) => {
            let indices =
                std::fs::read_dir(home.join("registry/index")).into_iter().flatten().filter_map(Result::ok);
            let of_crates_io =
                indices.filter(|entry| entry.file_name().to_string_lossy().starts_with("index.crates.io-"));
            of_crates_io.map(|entry| (entry.path().join(".cache"), true)).collect()
        }
    }
}

/// Where an index keeps a crate.
fn place(name: &str) -> String {
    let name = name.to_ascii_lowercase();
    match name.len() {
        1 => format!("1/{name}"),
        2 => format!("2/{name}"),
        3 => format!("3/{}/{name}", &name[..1]),
        _ => format!("{}/{}/{name}", name.get(..2).unwrap_or("_"), name.get(2..4).unwrap_or("_")),
    }
}

fn read(copies: &[(PathBuf, bool)], name: &str, now: i64) -> Option<Result<Vec<Release>, String>> {
    copies.iter().find_map(|(folder, of_cargo)| {
        let path = folder.join(place(name));
        if !is_fresh(&path, now) {
            return None;
        }
        let bytes = std::fs::read(&path).ok()?;
        let text = String::from_utf8_lossy(&bytes);
        // Cargo's own form: versions and lines in turn, a zero byte behind each; what is no line is passed over.
        let releases = if *of_cargo {
            of_crate(text.split('\0').filter(|part| part.starts_with('{')))
        } else {
            of_crate(text.lines())
        };
        (!releases.is_empty()).then_some(Ok(releases))
    })
}

fn is_fresh(path: &Path, now: i64) -> bool {
    let changed = std::fs::metadata(path).and_then(|about| about.modified()).ok();
    let changed = changed.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok());
    changed.is_some_and(|at| i64::try_from(at.as_secs()).is_ok_and(|at| now - at <= FRESH))
}

fn of_crate<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<Release> {
    let lines = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines
        .filter_map(|line| {
            Some(Release {
                version: line["vers"].as_str()?.to_owned(),
                at: line["pubtime"].as_str().and_then(time),
                yanked: line["yanked"].as_bool().unwrap_or(false),
            })
        })
        .collect()
}

fn of_npm(json: &Value) -> Vec<Release> {
    let versions = json["versions"].as_object().into_iter().flatten();
    versions
        .map(|(version, about)| Release {
            version: version.clone(),
            at: json["time"][version].as_str().and_then(time),
            // npm has no yanking; a version that was deprecated is not one to move to.
            yanked: about["deprecated"].as_str().is_some_and(|why| !why.is_empty()),
        })
        .collect()
}

fn of_pypi(json: &Value) -> Vec<Release> {
    let releases = json["releases"].as_object().into_iter().flatten();
    releases
        .filter_map(|(version, files)| {
            let files = files.as_array().filter(|files| !files.is_empty())?;
            Some(Release {
                version: version.clone(),
                at: files
                    .iter()
                    .filter_map(|file| file["upload_time_iso_8601"].as_str().and_then(time))
                    .min(),
                yanked: files.iter().all(|file| file["yanked"].as_bool() == Some(true)),
            })
        })
        .collect()
}

fn time(text: &str) -> Option<i64> {
    seconds_of(&format!("{}Z", text.get(..19)?))
}

/// How far one package is behind.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Behind {
    package: String,
    to: String,
    /// Days since the first release that could have taken its place.
    days: i64,
}

/// What is behind and what could not be found out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Compared {
    behind: Vec<Behind>,
    unknown: Vec<String>,
}

fn compare(locks: &Locks, answers: &Answers, now: i64) -> Compared {
    let mut compared = Compared::default();
    for package in &locks.direct {
        match answers.get(&(package.registry, package.name.clone())) {
            Some(Ok(releases)) => match behind(package, releases, now) {
                Ok(behind) => compared.behind.extend(behind),
                Err(why) => compared.unknown.push(why),
            },
            Some(Err(why)) => compared.unknown.push(format!("{package}: {why}")),
            None => compared.unknown.push(format!("{package}: nobody was asked")),
        }
    }
    compared.behind.sort_by_key(|one| std::cmp::Reverse(one.days));
    compared
}

fn behind(package: &Package, releases: &[Release], now: i64) -> Result<Option<Behind>, String> {
    let scheme = package.registry.scheme();
    let locked = package.version.as_str();
    let mut newer: Vec<&Release> = releases
        .iter()
        .filter(|release| {
            !release.yanked && scheme.compare(&release.version, locked) == Some(std::cmp::Ordering::Greater)
        })
        .filter(|release| scheme.may_replace(locked, &release.version))
        // Who runs a preview may want the next one; nobody else.
        .filter(|release| !scheme.is_preview(&release.version) || scheme.is_preview(locked))
        .collect();
    newer.sort_by(|one, other| {
        scheme.compare(&one.version, &other.version).unwrap_or(std::cmp::Ordering::Equal)
    });
    let Some(newest) = newer.last() else { return Ok(None) };
    let Some(first) = newer
        .iter()
        .map(|release| release.at)
        .collect::<Option<Vec<i64>>>()
        .and_then(|times| times.into_iter().min())
    else {
        return Err(format!("{package}: the registry does not say when {} was released", newest.version));
    };
    Ok(Some(Behind {
        package: package.to_string(),
        to: newest.version.clone(),
        days: (now - first).max(0) / 86_400,
    }))
}

/// Whether an update was due longer than the window. `beside` is what no registry here could be asked for.
pub(crate) fn due(locks: &Locks, answers: &Answers, beside: Option<String>, window: i64, now: i64) -> Due {
    let compared = compare(locks, answers, now);
    if let Some(first) = compared.behind.first().filter(|one| one.days * 86_400 > window) {
        return Due::Something(format!("{} could be {} for {} days", first.package, first.to, first.days));
    }
    match compared.unknown.into_iter().next().or(beside) {
        Some(why) => Due::Unknown(why),
        None => Due::Nothing(format!(
            "no newer release of {} direct dependencies waits longer than {} days",
            locks.direct.len(),
            window / 86_400
        )),
    }
}

pub(crate) fn judge_current(locks: &Locks, answers: &Answers, window: i64, now: i64) -> Claim {
    let remedy = "let the update tool's pull requests in, or run cargo update, npm update, and their like";
    if locks.direct.is_empty() {
        let evidence = Evidence::repository("no direct dependency with a locked version was found");
        return Claim::not_proven(CURRENT, vec![evidence], "commit the lockfiles");
    }
    let Compared { behind, unknown } = compare(locks, answers, now);
    let told = |one: &Behind| format!("{} could be {} for {} days", one.package, one.to, one.days);
    let (late, waiting): (Vec<&Behind>, Vec<&Behind>) =
        behind.iter().partition(|one| one.days * 86_400 > window);
    if !late.is_empty() {
        return Claim::fail(
            CURRENT,
            late.into_iter().map(|one| Evidence::repository(told(one))).collect(),
            remedy,
        );
    }
    if let Some(first) = unknown.first() {
        let what = format!(
            "{} of {} direct dependencies could not be compared: {first}",
            unknown.len(),
            locks.direct.len()
        );
        let remedy =
            "let the audit reach the registries, or name a copy of the crates' index in [audit] registry";
        return Claim::not_proven(CURRENT, vec![Evidence::repository(what)], remedy);
    }
    let mut evidence = vec![Evidence::repository(format!(
        "{} direct dependencies: no newer compatible release waits longer than {} days",
        locks.direct.len(),
        window / 86_400
    ))];
    evidence.extend(waiting.into_iter().map(|one| Evidence::repository(told(one))));
    Claim::pass(CURRENT, evidence)
}

pub(crate) fn judge_yanked(locks: &Locks, answers: &Answers) -> Claim {
    let mut yanked = Vec::new();
    let mut unknown = Vec::new();
    let mut asked = 0_usize;
    for package in &locks.packages {
        let withdraws = matches!(package.registry, Registry::Crates | Registry::Pypi);
        match answers.get(&(package.registry, package.name.clone())) {
            _ if !withdraws => {}
            Some(Ok(releases)) => match releases.iter().find(|release| release.version == package.version) {
                Some(release) if release.yanked => {
                    yanked.push(Evidence::repository(format!("{package} was yanked")))
                }
                // A lockfile that names what the registry does not have.
                None if package.registry == Registry::Crates => {
                    unknown.push(format!("{package}: the index has no such release"));
                }
                _ => asked += 1,
            },
            Some(Err(why)) => unknown.push(format!("{package}: {why}")),
            // What PyPI's direct dependencies bring along is not asked for.
            None => {}
        }
    }
    if !yanked.is_empty() {
        return Claim::fail(YANKED, yanked, "update them: cargo update -p NAME");
    }
    if let Some(first) = unknown.first() {
        let what = format!("{} packages could not be looked up: {first}", unknown.len());
        return Claim::not_proven(
            YANKED,
            vec![Evidence::repository(what)],
            "let the audit reach the registry",
        );
    }
    if asked == 0 {
        let what = "no locked package of a registry that can withdraw a version was looked up";
        return Claim::not_proven(YANKED, vec![Evidence::repository(what)], "commit the lockfiles");
    }
    Claim::pass(
        YANKED,
        vec![Evidence::repository(format!("{asked} locked versions were looked up: none was yanked"))],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    const DAY: i64 = 86_400;
    const NOW: i64 = 2_000 * DAY;

    fn locks(registry: Registry, name: &str, version: &str) -> Locks {
        let package = Package::new(registry, name, version);
        Locks { packages: [package.clone()].into(), direct: [package].into(), ..Locks::default() }
    }

    fn release(version: &str, age: i64) -> Release {
        Release { version: version.into(), at: Some(NOW - age * DAY), yanked: false }
    }

    #[test]
    fn a_newer_compatible_release_may_wait_for_the_window() {
        let yanked = |mut release: Release| {
            release.yanked = true;
            release
        };
        let undated = |mut release: Release| {
            release.at = None;
            release
        };
        let locked = release("1.0.0", 500);
        for (others, current, due_is) in [
            (vec![], Verdict::Pass, "nothing"),
            (vec![release("1.1.0", 10)], Verdict::Pass, "nothing"),
            (vec![release("1.1.0", 31)], Verdict::Fail, "something"),
            // Since the first one that could have been taken, not since the last.
            (vec![release("1.1.0", 200), release("1.9.0", 1)], Verdict::Fail, "something"),
            (vec![release("2.0.0", 200)], Verdict::Pass, "nothing"),
            (vec![release("1.1.0-rc.1", 200)], Verdict::Pass, "nothing"),
            (vec![yanked(release("1.1.0", 200))], Verdict::Pass, "nothing"),
            (vec![undated(release("1.1.0", 0))], Verdict::NotProven, "unknown"),
        ] {
            let locks = locks(Registry::Crates, "planted", "1.0.0");
            let mut releases = vec![locked.clone()];
            releases.extend(others.clone());
            let answers = Answers::from([((Registry::Crates, "planted".to_owned()), Ok(releases))]);
            let claim = judge_current(&locks, &answers, 30 * DAY, NOW);
            assert_eq!(claim.verdict, current, "{others:?}: {claim:?}");
            let due = match due(&locks, &answers, None, 30 * DAY, NOW) {
                Due::Nothing(_) => "nothing",
                Due::Something(_) => "something",
                Due::Unknown(_) => "unknown",
            };
            assert_eq!(due, due_is, "{others:?}");
            assert_eq!(judge_yanked(&locks, &answers).verdict, Verdict::Pass);
        }
    }

    #[test]
    fn a_silent_registry_proves_nothing_and_yanked_fails() {
        let locks = locks(Registry::Crates, "planted", "1.0.0");
        let key = (Registry::Crates, "planted".to_owned());
        let silent = Answers::from([(key.clone(), Err("no route".to_owned()))]);
        for answers in [&silent, &Answers::new()] {
            assert_eq!(judge_current(&locks, answers, 30 * DAY, NOW).verdict, Verdict::NotProven);
            assert_eq!(judge_yanked(&locks, answers).verdict, Verdict::NotProven);
            assert!(matches!(due(&locks, answers, None, 0, NOW), Due::Unknown(_)));
        }
        let gone = Answers::from([(key.clone(), Ok(vec![release("2.0.0", 1)]))]);
        assert_eq!(judge_yanked(&locks, &gone).verdict, Verdict::NotProven);
        let yanked = Release { version: "1.0.0".into(), at: None, yanked: true };
        assert_eq!(judge_yanked(&locks, &Answers::from([(key, Ok(vec![yanked]))])).verdict, Verdict::Fail);
        let none = Locks::default();
        assert_eq!(judge_current(&none, &Answers::new(), 0, NOW).verdict, Verdict::NotProven);
        assert_eq!(judge_yanked(&none, &Answers::new()).verdict, Verdict::NotProven);
    }

    #[test]
    fn every_registrys_form_is_read() {
        let at = Some(1_700_000_000);
        let cargo = r#"{"name": "x", "vers": "1.0.0", "yanked": true, "pubtime": "2023-11-14T22:13:20Z"}"#;
        assert_eq!(
            of_crate([cargo, "\u{3}"].into_iter()),
            [Release { version: "1.0.0".into(), at, yanked: true }]
        );
        let npm = serde_json::json!({"versions": {"1.0.0": {"deprecated": ""}, "0.9.0": {"deprecated": "old"}}, "time": {"1.0.0": "2023-11-14T22:13:20.123Z"}});
        assert_eq!(
            of_npm(&npm),
            [
                Release { version: "0.9.0".into(), at: None, yanked: true },
                Release { version: "1.0.0".into(), at, yanked: false }
            ]
        );
        let pypi = serde_json::json!({"releases": {"1.0": [{"upload_time_iso_8601": "2023-11-14T22:13:20.5Z", "yanked": false}], "0.1": []}});
        assert_eq!(of_pypi(&pypi), [Release { version: "1.0".into(), at, yanked: false }]);
        for (name, wanted) in [("a", "1/a"), ("ab", "2/ab"), ("abc", "3/a/abc"), ("Serde", "se/rd/serde")] {
            assert_eq!(place(name), wanted);
        }
    }

    #[tokio::test]
    async fn copies_are_read_and_an_absent_registry_is_asked_once() {
        let line =
            r#"{"name": "serde", "vers": "1.0.0", "yanked": false, "pubtime": "2023-11-14T22:13:20Z"}"#;
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join("registry/index/index.crates.io-1949cf8c6b5b557f/.cache/se/rd");
        std::fs::create_dir_all(&cache).unwrap();
        std::fs::write(cache.join("serde"), format!("\u{3}\u{2}\0etag: \"x\"\01.0.0\0{line}\0")).unwrap();
        let index = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(index.path().join("se/rd")).unwrap();
        std::fs::write(index.path().join("se/rd/serde"), format!("{line}\n")).unwrap();
        let locks = locks(Registry::Crates, "serde", "1.0.0");
        let cargos = Dependencies { cargo_home: Some(home.path().into()), ..Dependencies::default() };
        let folder =
            Dependencies { registry: Some(index.path().display().to_string()), ..Dependencies::default() };
        for config in [&cargos, &folder] {
            let answers = observe(config, &locks, "test", NOW).await;
            assert_eq!(answers.values().next().unwrap().as_ref().unwrap().len(), 1);
        }
        // Older than a week, as the clock of the run says.
        let later = 40_000_000_000;
        let answers = observe(&folder, &locks, "test", later).await;
        assert!(answers.values().next().unwrap().is_err());
        let nobody = Dependencies { registry: Some("http://127.0.0.1:1".into()), ..Dependencies::default() };
        let answers = observe(&nobody, &locks, "test", NOW).await;
        assert_eq!(judge_current(&locks, &answers, 0, NOW).verdict, Verdict::NotProven);
    }

    /// Answers each request with what stands for the end of its path, else 404.
    async fn registry(pages: &'static [(&'static str, &'static str)]) -> String {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut head = vec![0; 4096];
                let length = stream.read(&mut head).await.unwrap_or(0);
                let head = String::from_utf8_lossy(&head[..length]).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default();
                let page = pages.iter().find(|(end, _)| path.ends_with(end)).map(|(_, page)| *page);
                let (status, page) = page.map_or(("404 Not Found", ""), |page| ("200 OK", page));
                let length = page.len();
                let answer = format!(
                    "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{page}"
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            }
        });
        url
    }

    #[tokio::test]
    async fn registries_are_asked_over_http() {
        let url = registry(&[
            ("/se/rd/serde", r#"{"vers": "1.0.0", "yanked": false, "pubtime": "1970-01-01T00:00:00Z"}"#),
            ("/@a%2fb", r#"{"versions": {"1.0.0": {}}, "time": {"1.0.0": "1970-01-01T00:00:00Z"}}"#),
            ("/flask/json", r#"{"releases": {"1.0": [{"upload_time_iso_8601": "1970-01-01T00:00:00Z"}]}}"#),
        ])
        .await;
        let config = Dependencies {
            registry: Some(url.clone()),
            npm: url.clone(),
            pypi: url,
            ..Dependencies::default()
        };
        let mut all = locks(Registry::Crates, "serde", "1.0.0");
        for (registry, name) in [(Registry::Npm, "@a/b"), (Registry::Pypi, "flask")] {
            all.direct.insert(Package::new(registry, name, "1.0"));
        }
        let answers = observe(&config, &all, "test", NOW).await;
        assert!(answers.len() == 3 && answers.values().all(Result::is_ok), "{answers:?}");
        assert_eq!(judge_current(&all, &answers, 30 * DAY, NOW).verdict, Verdict::Pass);
        // One that the registry does not know is not current, it is unknown.
        all.direct.insert(Package::new(Registry::Npm, "unheard-of", "1.0.0"));
        let answers = observe(&config, &all, "test", NOW).await;
        assert_eq!(judge_current(&all, &answers, 30 * DAY, NOW).verdict, Verdict::NotProven);
    }
}
