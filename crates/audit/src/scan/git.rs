//! What the `git` program says of a repository. It runs nothing that the repository's own configuration names, fetches
//! nothing, and changes nothing.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::git;

/// How much of an object is read at once.
const STEP: usize = 64 << 10;

/// A repository.
#[derive(Clone, Debug)]
pub(crate) struct Repository {
    /// The folder that git is started in.
    folder: PathBuf,
    /// The work tree's top; none: bare.
    pub(crate) top: Option<PathBuf>,
    git_dir: PathBuf,
    /// Not all of the history was fetched.
    pub(crate) shallow: bool,
    /// A hook is told by git which index is meant; everybody else must not be.
    hook: bool,
}

/// One object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) size: u64,
}

/// One file that git tracks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tracked {
    pub(crate) mode: String,
    pub(crate) id: String,
    /// From the folder that git was started in.
    pub(crate) path: PathBuf,
}

impl Tracked {
    pub(crate) fn is_submodule(&self) -> bool {
        self.mode == "160000"
    }
}

impl Repository {
    /// None: there is no repository. An error: there is one, and git cannot say what is in it.
    pub(crate) fn open(folder: &Path, hook: bool) -> Result<Option<Self>, String> {
        let mut repository =
            Self { folder: folder.to_owned(), top: None, git_dir: PathBuf::new(), shallow: false, hook };
        let looks_like_one = folder.ancestors().any(|above| above.join(".git").exists());
        let said = match repository.lines(&[
            "rev-parse",
            "--absolute-git-dir",
            "--is-shallow-repository",
            "--is-bare-repository",
        ]) {
            Ok(said) => said,
            Err(_) if !looks_like_one && !hook => return Ok(None),
            Err(why) => return Err(why),
        };
        let [git_dir, shallow, bare] = said.as_slice() else {
            return Err("git rev-parse says too little".into());
        };
        repository.git_dir = PathBuf::from(git_dir);
        repository.shallow = shallow == "true";
        if bare != "true" {
            let top = repository.lines(&["rev-parse", "--show-toplevel"])?.first().map(PathBuf::from);
            // A hook is told by git where both are.
            if let (Some(top), false) = (&top, hook) {
                git::own_work_tree(folder, top)?;
            }
            repository.top = top;
        } else if repository.git_dir.ends_with(".git") || folder.join(".git").exists() {
            return Err("its configuration says that it is bare, and yet there are files beside it".into());
        }
        Ok(Some(repository))
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = if self.hook { git::of_hook(&self.folder) } else { git::command(&self.folder) };
        command.args(arguments);
        command
    }

    fn output(&self, arguments: &[&str]) -> Result<Vec<u8>, String> {
        let output = self
            .command(arguments)
            .output()
            .map_err(|error| format!("the git program cannot be started: {error}"))?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let first = said.lines().next().unwrap_or("it failed").trim_start_matches("fatal: ").to_owned();
        Err(format!("git {}: {first}", arguments.first().copied().unwrap_or_default()))
    }

    fn lines(&self, arguments: &[&str]) -> Result<Vec<String>, String> {
        let output = self.output(arguments)?;
        Ok(String::from_utf8_lossy(&output).lines().map(str::to_owned).collect())
    }

    /// Texts that end in NUL; a path need not be UTF-8.
    fn records(&self, arguments: &[&str]) -> Result<Vec<Vec<u8>>, String> {
        let output = self.output(arguments)?;
        Ok(output.split(|byte| *byte == 0).filter(|record| !record.is_empty()).map(<[u8]>::to_vec).collect())
    }

    /// Every file of the index under the folder, what a `.gitignore` says of it or not.
    pub(crate) fn tracked(&self) -> Result<Vec<Tracked>, String> {
        let records = self.records(&["ls-files", "-s", "-z"])?;
        Ok(records.iter().filter_map(|record| tracked(record)).collect())
    }

    /// Files that are not in the index, and that no `.gitignore` keeps out of it.
    pub(crate) fn untracked(&self) -> Result<Vec<PathBuf>, String> {
        self.paths(&["ls-files", "-z", "--others", "--exclude-standard"])
    }

    /// Files in the index that a `.gitignore` names: somebody thinks that they are not there.
    pub(crate) fn ignored_but_tracked(&self) -> Result<Vec<PathBuf>, String> {
        self.paths(&["ls-files", "-z", "--cached", "--ignored", "--exclude-standard"])
    }

    fn paths(&self, arguments: &[&str]) -> Result<Vec<PathBuf>, String> {
        Ok(self.records(arguments)?.iter().map(|bytes| path(bytes)).collect())
    }

    /// What the next commit changes or adds.
    pub(crate) fn staged(&self) -> Result<Vec<Tracked>, String> {
        let arguments = [
            "diff",
            "--cached",
            "--raw",
            "--no-abbrev",
            "--no-renames",
            "--no-ext-diff",
            "--no-textconv",
            "--diff-filter=d",
            "-z",
        ];
        let records = self.records(&arguments)?;
        Ok(records
            .chunks_exact(2)
            .filter_map(|pair| {
                let fields = text(&pair[0]);
                let fields: Vec<&str> = fields.trim_start_matches(':').split(' ').collect();
                let [_, mode, _, id, _] = fields.as_slice() else { return None };
                Some(Tracked { mode: (*mode).to_owned(), id: (*id).to_owned(), path: path(&pair[1]) })
            })
            .collect())
    }

    /// Some objects are left with the server that the repository was cloned from.
    pub(crate) fn is_partial(&self) -> bool {
        self.lines(&["config", "--get-regexp", r"^(extensions\.partialclone|remote\..*\.promisor)$"])
            .is_ok_and(|lines| !lines.is_empty())
    }

    /// Every object that is there: reachable or not, in a stash, behind a tag.
    pub(crate) fn objects(&self) -> Result<Vec<Object>, String> {
        let lines = self.lines(&["cat-file", "--batch-all-objects", "--batch-check", "--unordered"])?;
        let object = |line: &String| {
            let mut fields = line.split(' ');
            let (id, kind, size) = (fields.next()?, fields.next()?, fields.next()?.parse().ok()?);
            Some(Object { id: id.to_owned(), kind: kind.to_owned(), size })
        };
        lines.iter().map(|line| object(line).ok_or_else(|| format!("git cat-file: {line}"))).collect()
    }

    /// Of each object that a branch, a tag, a stash or a reflog leads to, one path.
    pub(crate) fn names(&self) -> Result<HashMap<String, String>, String> {
        let lines = self.lines(&["rev-list", "--objects", "--all", "--reflog", "--indexed-objects"])?;
        Ok(lines
            .iter()
            .filter_map(|line| line.split_once(' '))
            .filter(|(_, path)| !path.is_empty())
            .map(|(id, path)| (id.to_owned(), path.to_owned()))
            .collect())
    }

    /// The oldest commit that brings or removes an object, abbreviated.
    pub(crate) fn commit_of(&self, object: &str) -> Option<String> {
        let find = format!("--find-object={object}");
        let lines = self
            .lines(&["log", "--topo-order", "--all", "--reflog", "-m", "-s", "--format=%h", &find])
            .ok()?;
        lines.last().cloned()
    }

    /// Reads objects, each in pieces, in order.
    pub(crate) fn read(&self, ids: &[String], mut each: impl FnMut(usize, Part<'_>)) -> Result<(), String> {
        let cannot = |error: std::io::Error| format!("git cat-file: {error}");
        let mut child = self
            .command(&["cat-file", "--batch", "--buffer"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(cannot)?;
        let outcome = std::thread::scope(|scope| {
            let asks = child
                .stdin
                .take()
                .map(|mut asks| scope.spawn(move || ids.iter().try_for_each(|id| writeln!(asks, "{id}"))));
            let read = answers(&mut child, ids, &mut each);
            if read.is_err() {
                let _ = child.kill();
            }
            drop(asks.map(std::thread::ScopedJoinHandle::join));
            read
        });
        let _ = child.wait();
        outcome.map_err(cannot)
    }

    /// Where LFS keeps what a pointer stands for, once it was fetched.
    pub(crate) fn large_file(&self, oid: &str) -> Option<PathBuf> {
        let common = self.lines(&["rev-parse", "--git-common-dir"]).ok()?;
        let common = self.folder.join(common.first()?);
        let path = common.join("lfs/objects").join(oid.get(0..2)?).join(oid.get(2..4)?).join(oid);
        path.is_file().then_some(path)
    }
}

/// Of one object.
pub(crate) enum Part<'a> {
    Bytes(&'a [u8]),
    End,
    Missing,
}

fn answers(child: &mut Child, ids: &[String], each: &mut impl FnMut(usize, Part<'_>)) -> std::io::Result<()> {
    let broken = || std::io::Error::other("an answer that is none");
    let mut answers = BufReader::with_capacity(STEP, child.stdout.take().ok_or_else(broken)?);
    let mut piece = vec![0; STEP];
    for at in 0..ids.len() {
        let mut head = String::new();
        if answers.read_line(&mut head)? == 0 {
            return Err(broken());
        }
        let Some(mut left) = head.split_whitespace().nth(2).and_then(|size| size.parse::<u64>().ok()) else {
            each(at, Part::Missing);
            continue;
        };
        while left > 0 {
            let step = usize::try_from(left).unwrap_or(STEP).min(STEP);
            answers.read_exact(&mut piece[..step])?;
            each(at, Part::Bytes(&piece[..step]));
            left -= step as u64;
        }
        answers.read_exact(&mut piece[..1])?;
        each(at, Part::End);
    }
    Ok(())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A path is bytes, and no text.
fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// `MODE ID STAGE\tPATH`
fn tracked(record: &[u8]) -> Option<Tracked> {
    let tab = record.iter().position(|byte| *byte == b'\t')?;
    let fields = text(&record[..tab]);
    let mut fields = fields.split(' ');
    Some(Tracked {
        mode: fields.next()?.to_owned(),
        id: fields.next()?.to_owned(),
        path: path(&record[tab + 1..]),
    })
}
