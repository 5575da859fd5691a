//! `.github/dependabot.yml`: which folders of which ecosystems it keeps current, and what switches that off.

use serde_json::Value;

use super::ecosystem::Ecosystem;
use super::glob;
use super::manifests::Manifest;

/// Where GitHub looks.
pub(crate) const FILES: [&str; 2] = [".github/dependabot.yml", ".github/dependabot.yaml"];

/// A configuration of version 2.
#[derive(Debug)]
pub(crate) struct Dependabot {
    updates: Vec<Value>,
    /// The repository's default branch, where it is known.
    branch: Option<String>,
}

impl Dependabot {
    pub(crate) fn read(text: &str, branch: Option<&str>) -> Result<Self, String> {
        let config: Value = serde_saphyr::from_str(text).map_err(|_| "it is no YAML".to_owned())?;
        if config["version"].as_i64() != Some(2) {
            return Err("it does not say `version: 2`, so GitHub ignores it".into());
        }
        let updates = config["updates"].as_array().ok_or("it has no list `updates`")?.clone();
        for update in &updates {
            let name = update["package-ecosystem"].as_str().ok_or("an entry has no `package-ecosystem`")?;
            let scheduled =
                update["schedule"]["interval"].is_string() || update["multi-ecosystem-group"].is_string();
            if !scheduled {
                return Err(format!("the entry {name} has no `schedule`, so GitHub refuses the file"));
            }
        }
        Ok(Self { updates, branch: branch.map(str::to_owned) })
    }

    /// Whether it keeps a manifest current, or what keeps it from that.
    pub(crate) fn covers(&self, manifest: &Manifest) -> Result<(), String> {
        let mut why = format!("no entry has the ecosystem {} and its folder", manifest.ecosystem);
        for update in &self.updates {
            let name = update["package-ecosystem"].as_str().unwrap_or_default();
            if !reads(name, manifest.ecosystem) {
                continue;
            }
            let Some(folder) = manifest.folders.iter().find(|folder| names(update, folder)) else { continue };
            match self.switched_off(update, manifest, folder) {
                None => return Ok(()),
                Some(reason) => why = format!("the entry {name} names its folder, but {reason}"),
            }
        }
        Err(why)
    }

    fn switched_off(&self, update: &Value, manifest: &Manifest, folder: &str) -> Option<String> {
        // Security updates go on without a limit, version updates do not.
        if update["open-pull-requests-limit"].as_i64() == Some(0) {
            return Some("`open-pull-requests-limit: 0` switches version updates off".into());
        }
        if update["enabled"].as_bool() == Some(false) {
            return Some("`enabled: false` switches it off".into());
        }
        if let (Some(target), Some(branch)) = (update["target-branch"].as_str(), &self.branch)
            && target != branch
        {
            return Some(format!("`target-branch: {target}` is not the default branch {branch}"));
        }
        for rule in update["ignore"].as_array().into_iter().flatten() {
            if ignores_everything(rule) {
                return Some("`ignore` names every dependency".into());
            }
        }
        if let Some(allowed) = update["allow"].as_array()
            && !allowed.iter().any(allows_all_direct)
        {
            return Some("`allow` lets in a part of the dependencies alone".into());
        }
        let relative = manifest.path.strip_prefix(folder).unwrap_or(&manifest.path).trim_start_matches('/');
        let excluded = update["exclude-paths"].as_array().into_iter().flatten().filter_map(Value::as_str);
        for pattern in excluded {
            if glob::matches(pattern, relative) || glob::matches(&format!("{pattern}/**"), relative) {
                return Some(format!("`exclude-paths` has {pattern}"));
            }
        }
        None
    }
}

/// Whether an entry's ecosystem reads a kind of manifest.
fn reads(name: &str, ecosystem: Ecosystem) -> bool {
    name == ecosystem.dependabot() || (ecosystem == Ecosystem::Terraform && name == "opentofu")
}

/// Whether an entry names a folder. Patterns count in `directories` alone.
fn names(update: &Value, folder: &str) -> bool {
    let plain = |written: &str| {
        let written = written.trim_matches('/');
        (if written == "." { "" } else { written.trim_start_matches("./") }) == folder
    };
    update["directory"].as_str().is_some_and(plain)
        || update["directories"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .any(|written| plain(written) || (glob::is_pattern(written) && glob::matches(written, folder)))
}

fn ignores_everything(rule: &Value) -> bool {
    if rule["dependency-name"].as_str() != Some("*")
        || rule["versions"].is_array()
        || rule["versions"].is_string()
    {
        return false;
    }
    match rule["update-types"].as_array() {
        None => true,
        Some(kinds) => ["major", "minor", "patch"].iter().all(|kind| {
            kinds
                .iter()
                .filter_map(Value::as_str)
                .any(|written| written == format!("version-update:semver-{kind}"))
        }),
    }
}

fn allows_all_direct(rule: &Value) -> bool {
    let all_names = matches!(rule["dependency-name"].as_str(), None | Some("*"));
    let all_kinds = matches!(rule["dependency-type"].as_str(), None | Some("all" | "direct"));
    let all_updates = rule["update-types"].is_null();
    all_names && all_kinds && all_updates
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(ecosystem: Ecosystem, path: &str, folders: &[&str]) -> Manifest {
        Manifest {
            ecosystem,
            path: path.into(),
            folders: folders.iter().map(|one| (*one).to_owned()).collect(),
        }
    }

    #[test]
    fn an_entry_covers_its_folder_unless_something_switches_it_off() {
        let member = manifest(Ecosystem::Cargo, "crates/a/Cargo.toml", &["crates/a", ""]);
        let outside = manifest(Ecosystem::Cargo, "fuzz/Cargo.toml", &["fuzz"]);
        let every = "{package-ecosystem: cargo, schedule: {interval: weekly}";
        for (entry, manifest, wanted) in [
            (format!("{every}, directory: /}}"), &member, true),
            (format!("{every}, directory: .}}"), &member, true),
            (format!("{every}, directory: /crates/a/}}"), &member, true),
            // A member outside `directory` is reached through its workspace alone.
            (format!("{every}, directory: /}}"), &outside, false),
            (format!("{every}, directories: ['/', '/f*']}}"), &outside, true),
            (format!("{every}, directories: ['**/*']}}"), &outside, true),
            // `directory` knows no patterns.
            (format!("{every}, directory: '/f*'}}"), &outside, false),
            (format!("{every}, directory: /, open-pull-requests-limit: 0}}"), &member, false),
            (format!("{every}, directory: /, open-pull-requests-limit: 3}}"), &member, true),
            (format!("{every}, directory: /, enabled: false}}"), &member, false),
            (format!("{every}, directory: /, target-branch: develop}}"), &member, false),
            (format!("{every}, directory: /, target-branch: main}}"), &member, true),
            (format!("{every}, directory: /, ignore: [{{dependency-name: '*'}}]}}"), &member, false),
            (format!("{every}, directory: /, ignore: [{{dependency-name: serde}}]}}"), &member, true),
            (
                format!(
                    "{every}, directory: /, ignore: [{{dependency-name: '*', update-types: ['version-update:semver-major']}}]}}"
                ),
                &member,
                true,
            ),
            (
                format!(
                    "{every}, directory: /, ignore: [{{dependency-name: '*', update-types: ['version-update:semver-major', 'version-update:semver-minor', 'version-update:semver-patch']}}]}}"
                ),
                &member,
                false,
            ),
            (format!("{every}, directory: /, allow: [{{dependency-name: serde}}]}}"), &member, false),
            (format!("{every}, directory: /, allow: [{{dependency-type: all}}]}}"), &member, true),
            (format!("{every}, directory: /, exclude-paths: ['crates/a']}}"), &member, false),
            (format!("{every}, directory: /, exclude-paths: ['crates/b/**']}}"), &member, true),
            ("{package-ecosystem: npm, directory: /, schedule: {interval: weekly}}".into(), &member, false),
        ] {
            let text = format!("version: 2\nupdates: [{entry}]");
            let read = Dependabot::read(&text, Some("main")).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(read.covers(manifest).is_ok(), wanted, "{entry}");
        }
    }

    #[test]
    fn what_github_would_not_read_covers_nothing() {
        for text in [
            "- no mapping",
            "version: 1\nupdates: []",
            "version: 2",
            "version: 2\nupdates: [{directory: /, schedule: {interval: daily}}]",
            "version: 2\nupdates: [{package-ecosystem: cargo, directory: /}]",
            ": : :",
        ] {
            assert!(Dependabot::read(text, None).is_err(), "{text}");
        }
    }
}
