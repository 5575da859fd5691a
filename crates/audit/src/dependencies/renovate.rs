//! Renovate's configuration: it reads the whole tree, minus what its configuration takes away.

use serde_json::Value;

use super::ecosystem::Ecosystem;
use super::glob;
use super::manifests::Manifest;

/// Where it looks, the first one counts; last of all the key `renovate` of the root's package.json.
pub(crate) const FILES: [&str; 9] = [
    "renovate.json",
    "renovate.json5",
    ".github/renovate.json",
    ".github/renovate.json5",
    ".gitlab/renovate.json",
    ".gitlab/renovate.json5",
    ".renovaterc",
    ".renovaterc.json",
    ".renovaterc.json5",
];

/// What it leaves alone without being told.
const ALWAYS_IGNORED: [&str; 2] = ["**/node_modules/**", "**/bower_components/**"];
/// The preset `:ignoreModulesAndTests`, which the recommended presets bring along.
const MODULES_AND_TESTS: [&str; 9] = [
    "**/node_modules/**",
    "**/bower_components/**",
    "**/vendor/**",
    "**/examples/**",
    "**/__tests__/**",
    "**/test/**",
    "**/tests/**",
    "**/__fixtures__/**",
    "**/test-fixtures/**",
];
/// Presets that bring `:ignoreModulesAndTests` along.
const RECOMMENDED: [&str; 6] = [
    "config:recommended",
    "config:base",
    "config:best-practices",
    "config:js-app",
    "config:js-lib",
    ":ignoreModulesAndTests",
];
/// The families of presets that come with Renovate. Another one is a file that is not here.
const BUILT_IN: [&str; 16] = [
    "abandonments",
    "config",
    "custommanagers",
    "default",
    "docker",
    "global",
    "group",
    "helpers",
    "mergeconfidence",
    "monorepo",
    "npm",
    "packages",
    "preview",
    "replacements",
    "schedule",
    "workarounds",
];

/// Why a manifest is not shown to be covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Gap {
    /// It is not.
    Open(String),
    /// It depends on what cannot be read here.
    Unknown(String),
}

/// A configuration.
#[derive(Debug)]
pub(crate) struct Renovate {
    config: Value,
}

impl Renovate {
    /// JSON, with comments and the rest of JSON5 in any file: Renovate itself is as lenient.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let config: Value = json5::from_str(text).map_err(|_| "it is no JSON5".to_owned())?;
        if config.is_object() { Ok(Self { config }) } else { Err("it is no object".into()) }
    }

    pub(crate) fn of(config: Value) -> Self {
        Self { config }
    }

    /// The address that a self-hosted one commits with.
    pub(crate) fn author(&self) -> Option<&str> {
        self.config["gitAuthor"].as_str()
    }

    pub(crate) fn covers(&self, manifest: &Manifest) -> Result<(), Gap> {
        let open = |why: &str| Err(Gap::Open(why.to_owned()));
        if self.config["enabled"].as_bool() == Some(false) {
            return open("`enabled: false` switches it off");
        }
        if self.config["mode"].as_str() == Some("silent") || self.config["dryRun"].is_string() {
            return open("it runs, but opens no pull request (`mode: silent` or `dryRun`)");
        }
        let presets: Vec<&str> = strings(&self.config["extends"]);
        if presets.contains(&":disableRenovate") {
            return open("the preset `:disableRenovate` switches it off");
        }
        if presets.contains(&"security:only-security-updates") {
            return open("the preset `security:only-security-updates` switches version updates off");
        }
        let managers = manifest.ecosystem.renovate();
        if let Some(only) = self.config["enabledManagers"].as_array()
            && !only.iter().filter_map(Value::as_str).any(|name| managers.contains(&name))
        {
            return Err(Gap::Open(format!("`enabledManagers` does not name {}", managers.join(" or "))));
        }
        let all_off = managers.iter().all(|name| self.config[*name]["enabled"].as_bool() == Some(false));
        if all_off || (manifest.ecosystem == Ecosystem::Docker && presets.contains(&"docker:disable")) {
            return Err(Gap::Open(format!("its manager {} is switched off", managers.join(", "))));
        }
        // The one manager that must be switched on.
        if manifest.ecosystem == Ecosystem::GitSubmodules
            && self.config["git-submodules"]["enabled"].as_bool() != Some(true)
            && !presets.contains(&":enableGitSubmodules")
        {
            return open("submodules are looked after only with `\"git-submodules\": {\"enabled\": true}`");
        }
        self.leaves_out(manifest, &presets)?;
        for rule in self.config["packageRules"].as_array().into_iter().flatten() {
            if rule["enabled"].as_bool() == Some(false) && takes_everything(rule, manifest) {
                return open("a rule of `packageRules` switches all of it off");
            }
        }
        match presets.iter().find(|preset| !is_built_in(preset)) {
            Some(foreign) => {
                Err(Gap::Unknown(format!("the preset {foreign} is kept elsewhere and cannot be read here")))
            }
            None => Ok(()),
        }
    }

    fn leaves_out(&self, manifest: &Manifest, presets: &[&str]) -> Result<(), Gap> {
        let path = manifest.path.as_str();
        if let Some(included) = self.config["includePaths"].as_array()
            && !included.is_empty()
            && !included.iter().filter_map(Value::as_str).any(|pattern| glob::matches(pattern, path))
        {
            return Err(Gap::Open("`includePaths` does not name it".into()));
        }
        let withdrawn = strings(&self.config["ignorePresets"]);
        let recommended = !withdrawn.contains(&":ignoreModulesAndTests")
            && presets.iter().any(|preset| RECOMMENDED.contains(preset) && !withdrawn.contains(preset));
        // What is written takes the place of what a preset brings.
        let (ignored, whose) = match self.config["ignorePaths"].as_array() {
            Some(written) => (written.iter().filter_map(Value::as_str).collect::<Vec<_>>(), "`ignorePaths`"),
            None if recommended => (MODULES_AND_TESTS.to_vec(), "the preset `:ignoreModulesAndTests`"),
            None => (ALWAYS_IGNORED.to_vec(), "its default"),
        };
        match ignored.iter().find(|pattern| path.contains(**pattern) || glob::matches(pattern, path)) {
            Some(pattern) => Err(Gap::Open(format!("{whose} ignores {pattern}"))),
            None => Ok(()),
        }
    }
}

fn strings(value: &Value) -> Vec<&str> {
    match value {
        Value::String(one) => vec![one],
        value => value.as_array().into_iter().flatten().filter_map(Value::as_str).collect(),
    }
}

fn is_built_in(preset: &str) -> bool {
    match preset.split_once(':') {
        Some((family, name)) => {
            (family.is_empty() && !name.is_empty())
                || family == "security"
                || BUILT_IN.contains(&family.to_ascii_lowercase().as_str())
        }
        None => false,
    }
}

/// Whether a rule that switches off speaks of every dependency of a manifest.
fn takes_everything(rule: &Value, manifest: &Manifest) -> bool {
    let Some(rule) = rule.as_object() else { return false };
    rule.iter().filter(|(key, _)| key.starts_with("match")).all(|(key, value)| {
        let listed = strings(value);
        match key.as_str() {
            "matchManagers" | "matchCategories" => {
                manifest.ecosystem.renovate().iter().all(|manager| listed.contains(manager))
            }
            "matchPackageNames" | "matchDepNames" | "matchPackagePatterns" => {
                listed.iter().any(|name| matches!(*name, "*" | "**" | ".*" | "/.*/"))
            }
            "matchFileNames" | "matchPaths" => {
                listed.iter().any(|pattern| glob::matches(pattern, &manifest.path))
            }
            // Every update is one of these.
            "matchUpdateTypes" => ["major", "minor", "patch"].iter().all(|kind| listed.contains(kind)),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_covers_the_tree_minus_what_is_taken_away() {
        let at = |ecosystem, path: &str| Manifest { ecosystem, path: path.into(), folders: vec![] };
        let cargo = at(Ecosystem::Cargo, "Cargo.toml");
        let tests = at(Ecosystem::Npm, "tests/ecosystem/package.json");
        let modules = at(Ecosystem::GitSubmodules, ".gitmodules");
        for (config, manifest, wanted) in [
            ("{}", &cargo, "covered"),
            ("// a comment\n{extends: ['config:recommended',],}", &cargo, "covered"),
            ("{\"enabled\": false}", &cargo, "open"),
            ("{\"mode\": \"silent\"}", &cargo, "open"),
            ("{\"extends\": [\":disableRenovate\"]}", &cargo, "open"),
            ("{\"extends\": [\"security:only-security-updates\"]}", &cargo, "open"),
            ("{\"enabledManagers\": [\"npm\"]}", &cargo, "open"),
            ("{\"enabledManagers\": [\"npm\"]}", &tests, "covered"),
            ("{\"cargo\": {\"enabled\": false}}", &cargo, "open"),
            // The trap: the recommended preset ignores tests.
            ("{\"extends\": [\"config:recommended\"]}", &tests, "open"),
            ("{\"extends\": \"config:recommended\"}", &tests, "open"),
            (
                "{\"extends\": [\"config:recommended\"], \"ignorePresets\": [\":ignoreModulesAndTests\"]}",
                &tests,
                "covered",
            ),
            ("{\"extends\": [\"config:recommended\"], \"ignorePaths\": []}", &tests, "covered"),
            ("{\"ignorePaths\": [\"tests/\"]}", &tests, "open"),
            ("{\"includePaths\": [\"crates/**\"]}", &tests, "open"),
            ("{\"packageRules\": [{\"matchManagers\": [\"cargo\"], \"enabled\": false}]}", &cargo, "open"),
            ("{\"packageRules\": [{\"matchPackageNames\": [\"*\"], \"enabled\": false}]}", &cargo, "open"),
            (
                "{\"packageRules\": [{\"matchPackageNames\": [\"serde\"], \"enabled\": false}]}",
                &cargo,
                "covered",
            ),
            (
                "{\"packageRules\": [{\"matchUpdateTypes\": [\"major\"], \"enabled\": false}]}",
                &cargo,
                "covered",
            ),
            ("{\"extends\": [\"github>acme/renovate-config\"]}", &cargo, "unknown"),
            ("{\"extends\": [\"local>acme/renovate-config\", \":disableRenovate\"]}", &cargo, "open"),
            ("{}", &modules, "open"),
            ("{\"git-submodules\": {\"enabled\": true}}", &modules, "covered"),
        ] {
            let seen = match Renovate::read(config).unwrap().covers(manifest) {
                Ok(()) => "covered",
                Err(Gap::Open(_)) => "open",
                Err(Gap::Unknown(_)) => "unknown",
            };
            assert_eq!(seen, wanted, "{config} {}", manifest.path);
        }
        assert!(Renovate::read("[]").is_err() && Renovate::read("{").is_err());
    }
}
