//! Whether the update tool really runs: its commits in the log, or a registry that shows that nothing was due. A
//! configuration alone proves nothing: Dependabot pauses by itself when nobody takes its pull requests for 90 days.

use super::coverage::Tools;
use super::repository::{Commit, Repository};
use crate::evidence::Evidence;
use crate::report::Claim;

/// The claim's id.
pub(crate) const CLAIM: &str = "the_update_tool_runs";
/// How far back the log is read: as long as Dependabot goes on by itself.
pub(crate) const WINDOW: i64 = 90 * 86_400;

/// What the log says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    /// No claim can be made: the log is cut, or there is none.
    pub(crate) unreadable: Option<String>,
    /// The tools that are configured.
    pub(crate) tools: Vec<String>,
    /// When the first of their files came to the default branch.
    pub(crate) configured_at: Option<i64>,
    /// The tool, its commits within the window, and the newest one's time.
    pub(crate) runs: Vec<(String, usize, i64)>,
}

/// Whether an update was due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// The registries were asked for everything: none was.
    Nothing(String),
    /// This was.
    Something(String),
    /// This could not be asked.
    Unknown(String),
}

/// Reads the log.
pub(crate) fn observe(repository: &Result<Repository, String>, tools: &Tools, now: i64) -> Seen {
    let mut seen =
        Seen { tools: tools.files().iter().map(|(tool, _)| (*tool).to_owned()).collect(), ..Seen::default() };
    let repository = match repository {
        Ok(repository) if repository.is_shallow() => {
            seen.unreadable = Some("this is a shallow clone: its log is cut off".into());
            return seen;
        }
        Ok(repository) => repository,
        Err(why) => {
            seen.unreadable = Some(why.clone());
            return seen;
        }
    };
    seen.configured_at = tools.files().iter().filter_map(|(_, file)| repository.came(file)).min();
    let own = match &tools.renovate {
        Some((_, Ok(renovate))) => renovate.author().map(str::to_owned),
        _ => None,
    };
    match repository.log(now - WINDOW) {
        Ok(log) => seen.runs = runs(&log, &seen.tools, own.as_deref(), now),
        Err(why) => seen.unreadable = Some(why),
    }
    seen
}

/// Each configured tool's commits: how many, and when the last one was made.
fn runs(log: &[Commit], tools: &[String], own_author: Option<&str>, now: i64) -> Vec<(String, usize, i64)> {
    let of = |tool: &str| {
        let commits = log
            .iter()
            // A time that has not come yet, or that lies before the window, shows nothing.
            .filter(|commit| commit.at <= now && commit.at >= now - WINDOW)
            .filter(|commit| whose(commit, own_author) == Some(tool));
        let times: Vec<i64> = commits.map(|commit| commit.at).collect();
        times.iter().max().map(|last| (tool.to_owned(), times.len(), *last))
    };
    tools.iter().filter_map(|tool| of(tool)).collect()
}

/// The tool that a commit is of: by its author, or by the branch that a merge names.
fn whose(commit: &Commit, own_author: Option<&str>) -> Option<&'static str> {
    let (author, email) = (commit.author.to_lowercase(), commit.email.to_lowercase());
    let merges = |branch: &str| {
        commit.subject.starts_with("Merge pull request #")
            && commit
                .subject
                .split_once(" from ")
                .is_some_and(|(_, from)| from.contains(&format!("/{branch}/")))
    };
    if matches!(author.as_str(), "dependabot[bot]" | "dependabot-preview[bot]" | "dependabot")
        || email.contains("dependabot[bot]@")
        || merges("dependabot")
    {
        return Some("Dependabot");
    }
    let own = own_author.is_some_and(|own| own.to_lowercase().contains(&email) && !email.is_empty());
    if matches!(author.as_str(), "renovate[bot]" | "renovate bot" | "renovate-bot" | "mend renovate")
        || email.contains("renovate[bot]@")
        || email == "bot@renovateapp.com"
        || own
        || merges("renovate")
    {
        return Some("Renovate");
    }
    None
}

pub(crate) fn judge(seen: &Seen, due: &Due, now: i64) -> Claim {
    let days = |at: i64| (now - at).max(0) / 86_400;
    if let Some(why) = &seen.unreadable {
        let remedy = "run the audit in a full clone (actions/checkout: fetch-depth: 0)";
        return Claim::not_proven(CLAIM, vec![Evidence::repository(why.clone())], remedy);
    }
    if seen.tools.is_empty() {
        let evidence = Evidence::repository("no update tool is configured on the default branch");
        return Claim::fail(CLAIM, vec![evidence], "configure Dependabot or Renovate: portcullis init");
    }
    let tools = seen.tools.join(" and ");
    if !seen.runs.is_empty() {
        let evidence = seen.runs.iter().map(|(tool, count, last)| {
            Evidence::repository(format!(
                "{count} commits of {tool} in the last {} days, the newest {} days ago",
                WINDOW / 86_400,
                days(*last)
            ))
        });
        return Claim::pass(CLAIM, evidence.collect());
    }
    let nothing = format!("no commit of {tools} in the last {} days", WINDOW / 86_400);
    match due {
        Due::Nothing(why) => {
            Claim::pass(CLAIM, vec![Evidence::repository(format!("{nothing}, and none was due: {why}"))])
        }
        Due::Unknown(why) => {
            let evidence =
                Evidence::repository(format!("{nothing}; whether an update was due is not known: {why}"));
            Claim::not_proven(
                CLAIM,
                vec![evidence],
                "merge its pull requests; see on the platform whether it is paused",
            )
        }
        Due::Something(what) => {
            let evidence = Evidence::repository(format!("{nothing}, though one was due: {what}"));
            match seen.configured_at {
                // It had no chance yet.
                Some(at) if now - at < 14 * 86_400 => Claim::not_proven(
                    CLAIM,
                    vec![evidence, Evidence::repository(format!("it was configured {} days ago", days(at)))],
                    "wait for its first pull requests, and merge them",
                ),
                _ => Claim::fail(
                    CLAIM,
                    vec![evidence],
                    "see on the platform whether it is paused or not installed; merge its pull requests",
                ),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dependencies::coverage;
    use crate::dependencies::repository::planted::{PERSON, commit, git};
    use crate::verdict::Verdict;

    const DAY: i64 = 86_400;
    // Late enough that git takes it for seconds.
    const NOW: i64 = 20_000 * DAY;
    const BOT: (&str, &str) = ("dependabot[bot]", "49699333+dependabot[bot]@users.noreply.github.com");

    fn configured(folder: &std::path::Path, at: i64) {
        std::fs::create_dir(folder.join(".github")).unwrap();
        let text =
            "version: 2\nupdates: [{package-ecosystem: cargo, directory: /, schedule: {interval: weekly}}]\n";
        std::fs::write(folder.join(".github/dependabot.yml"), text).unwrap();
        std::fs::write(folder.join("Cargo.toml"), "").unwrap();
        git(folder, 0, PERSON, &["init", "-q"]);
        commit(folder, at, PERSON, "dependabot");
    }

    fn look(folder: &std::path::Path) -> Seen {
        let repository = Repository::of(folder);
        observe(&repository, &coverage::observe(&repository, folder).tools, NOW)
    }

    #[test]
    fn commits_of_the_configured_tool_within_the_window_count() {
        let due = Due::Something("serde 1.0.1".into());
        for (author, subject, age, wanted) in [
            (BOT, "Bump serde", 10, Verdict::Pass),
            (BOT, "Bump serde", 91, Verdict::Fail),
            (PERSON, "Merge pull request #7 from acme/dependabot/cargo/serde-1", 10, Verdict::Pass),
            (PERSON, "Bump serde", 10, Verdict::Fail),
            // Of another tool than the one that is configured.
            (("renovate[bot]", "bot@renovateapp.com"), "Update serde", 10, Verdict::Fail),
        ] {
            let folder = tempfile::tempdir().unwrap();
            configured(folder.path(), NOW - 200 * DAY);
            commit(folder.path(), NOW - age * DAY, author, subject);
            let claim = judge(&look(folder.path()), &due, NOW);
            assert_eq!(claim.verdict, wanted, "{author:?} {subject} {age}: {claim:?}");
        }
    }

    #[test]
    fn without_a_commit_it_depends_on_what_was_due_and_since_when_it_could_run() {
        let folder = tempfile::tempdir().unwrap();
        configured(folder.path(), NOW - 200 * DAY);
        let seen = look(folder.path());
        assert_eq!(seen.configured_at, Some(NOW - 200 * DAY));
        assert_eq!(judge(&seen, &Due::Nothing("all current".into()), NOW).verdict, Verdict::Pass);
        assert_eq!(judge(&seen, &Due::Unknown("docker".into()), NOW).verdict, Verdict::NotProven);
        assert_eq!(judge(&seen, &Due::Something("serde".into()), NOW).verdict, Verdict::Fail);
        let young = Seen { configured_at: Some(NOW - 3 * DAY), ..seen.clone() };
        assert_eq!(judge(&young, &Due::Something("serde".into()), NOW).verdict, Verdict::NotProven);
        let none = Seen { tools: Vec::new(), ..seen };
        assert_eq!(judge(&none, &Due::Nothing("all current".into()), NOW).verdict, Verdict::Fail);
    }

    #[test]
    fn a_cut_log_proves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        configured(folder.path(), NOW - 200 * DAY);
        commit(folder.path(), NOW - DAY, BOT, "Bump serde");
        commit(folder.path(), NOW, PERSON, "more");
        let clone = tempfile::tempdir().unwrap();
        let from = format!("file://{}", folder.path().display());
        git(clone.path(), 0, PERSON, &["clone", "-q", "--depth", "1", &from, "."]);
        let seen = look(clone.path());
        assert_eq!(judge(&seen, &Due::Nothing("all current".into()), NOW).verdict, Verdict::NotProven);
        let whole = tempfile::tempdir().unwrap();
        git(whole.path(), 0, PERSON, &["clone", "-q", &from, "."]);
        assert_eq!(judge(&look(whole.path()), &Due::Unknown(String::new()), NOW).verdict, Verdict::Pass);
    }

    #[test]
    fn a_commit_of_the_future_shows_nothing() {
        let future =
            Commit { at: NOW + DAY, author: BOT.0.into(), email: BOT.1.into(), subject: String::new() };
        assert_eq!(runs(&[future], &["Dependabot".to_owned()], None, NOW), []);
        let own =
            Commit { at: NOW, author: "Bot".into(), email: "bot@acme.dev".into(), subject: String::new() };
        let author = Some("Our Bot <bot@acme.dev>");
        assert_eq!(runs(&[own], &["Renovate".to_owned()], author, NOW), [("Renovate".to_owned(), 1, NOW)]);
    }
}
