//! Files: those that git tracks or would take, those of the next commit, or all of a folder.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::collect::Collector;
use super::detect::{Detector, Hit};
use super::git::{self, Part, Repository};
use super::{Options, Place, Progress, ScanError, Seen, folder_of, scan_below};

const STEP: usize = 256 << 10;
/// What a file of Git LFS holds in place of its content.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
/// A pointer is shorter.
const LONGEST_POINTER: usize = 1024;
/// Folders in folders, at most.
const DEEPEST: usize = 128;
/// Things that are set aside and named; the others are counted.
const NAMED: usize = 3;
/// Submodules in submodules, at most.
const NESTED: usize = 16;

/// Every file of the index and every new one that no `.gitignore` names. What is ignored and not committed is in nobody's
/// repository; what is ignored and committed all the same is looked at, and the finding says so.
pub(super) fn tracked_and_new(
    repository: &Repository,
    options: &Options,
    seen: &mut Seen,
    collector: &mut Collector<'_>,
    progress: &(dyn Fn(Progress) + Sync),
) {
    let listed = repository
        .tracked()
        .and_then(|tracked| Ok((tracked, repository.untracked()?, repository.ignored_but_tracked()?)));
    let (tracked, untracked, ignored) = match listed {
        Ok(listed) => listed,
        Err(why) => return collector.gap(format!("the work tree was not looked at: {why}")),
    };
    if repository.top.is_none() {
        collector.note("a bare repository: there is no work tree".into());
        return;
    }
    let folder = folder_of(&options.path);
    let only = options.path.is_file().then(|| options.path.file_name().map(PathBuf::from)).flatten();
    let ignored: HashSet<PathBuf> = ignored.into_iter().collect();
    let mut files: Vec<PathBuf> = Vec::new();
    let mut submodules = BTreeSet::new();
    for entry in tracked {
        if entry.is_submodule() {
            submodules.insert(entry.path);
        } else {
            files.push(entry.path);
        }
    }
    seen.folders.extend(folder.canonicalize());
    for path in submodules {
        submodule(&folder, &path, options, seen, collector);
    }
    files.extend(untracked);
    files.sort();
    // A conflict has one path three times.
    files.dedup();
    if let Some(only) = only {
        named_itself(options, collector);
        files = vec![only];
    }
    look_at_all(&folder, &files, &ignored, options, collector, progress);
}

/// A repository of its own, if it was fetched. One that a link leads to is not gone into: it may lead back, or outside.
fn submodule(folder: &Path, path: &Path, options: &Options, seen: &mut Seen, collector: &mut Collector<'_>) {
    let name = path.display();
    let inside = folder.join(path);
    if inside.is_symlink() || Ways::default().link(folder, path).is_some() {
        return collector.gap(format!("the submodule {name} is a link, and was not looked at"));
    }
    if !inside.join(".git").exists() {
        return collector.gap(format!("the submodule {name} was not fetched"));
    }
    let real = match inside.canonicalize() {
        Ok(real) => real,
        Err(error) => return collector.gap(format!("the submodule {name} was not looked at: {error}")),
    };
    if !seen.folders.insert(real) {
        return;
    }
    if seen.depth >= NESTED {
        return collector.gap(format!("the submodule {name} lies too deep in others, and was not looked at"));
    }
    let options = Options { path: inside, ..options.clone() };
    seen.depth += 1;
    let outcome = scan_below(&options, seen, &|_| {});
    seen.depth -= 1;
    match outcome {
        Ok(scanned) => collector.join(path, scanned),
        Err(ScanError::Nothing(why) | ScanError::Git(why)) => {
            collector.gap(format!("the submodule {name} was not looked at: {why}"));
        }
    }
}

/// Which folders on the way to files are links: git lists what it knows, and the disk may lead elsewhere.
#[derive(Default)]
struct Ways(HashMap<PathBuf, bool>);

impl Ways {
    /// The first folder above `file`, below `top`, that is a link.
    fn link(&mut self, top: &Path, file: &Path) -> Option<PathBuf> {
        let mut above: Vec<&Path> =
            file.ancestors().skip(1).filter(|way| !way.as_os_str().is_empty()).collect();
        above.reverse();
        above.into_iter().find(|way| self.is_link(top, way)).map(Path::to_owned)
    }

    fn is_link(&mut self, top: &Path, way: &Path) -> bool {
        if let Some(known) = self.0.get(way) {
            return *known;
        }
        let link = top.join(way).is_symlink();
        self.0.insert(way.to_owned(), link);
        link
    }
}

/// What is set aside in a folder is a gap where it is all that was asked for.
fn named_itself(options: &Options, collector: &mut Collector<'_>) {
    let is_file = std::fs::symlink_metadata(&options.path).is_ok_and(|metadata| metadata.is_file());
    if !is_file {
        collector.gap(format!("{}: it is no file; a link is not followed", options.path.display()));
    }
}

/// A folder that is no repository, or one file.
pub(super) fn plain(options: &Options, collector: &mut Collector<'_>, progress: &(dyn Fn(Progress) + Sync)) {
    let folder = folder_of(&options.path);
    let (mut files, mut aside) = (Vec::new(), Vec::new());
    if options.path.is_dir() {
        walk(&folder, Path::new(""), 0, (&mut files, &mut aside), collector);
    } else {
        named_itself(options, collector);
        files.extend(options.path.file_name().map(PathBuf::from));
    }
    files.sort();
    aside.sort();
    if !aside.is_empty() {
        let named: Vec<String> = aside.iter().take(NAMED).map(|path| path.display().to_string()).collect();
        let more = if aside.len() > NAMED { ", …" } else { "" };
        collector.note(format!(
            "{} links, pipes, sockets or devices were neither followed nor read: {}{more}",
            aside.len(),
            named.join(", ")
        ));
    }
    look_at_all(&folder, &files, &HashSet::new(), options, collector, progress);
}

/// Links are not followed, so that no loop is endless and nothing outside is read; a pipe would keep its reader waiting.
/// Finds files, and what is set aside.
fn walk(
    top: &Path,
    inside: &Path,
    depth: usize,
    (files, aside): (&mut Vec<PathBuf>, &mut Vec<PathBuf>),
    collector: &mut Collector<'_>,
) {
    let folder = top.join(inside);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) if depth < DEEPEST => entries,
        Ok(_) => return collector.gap(format!("{} lies too deep", folder.display())),
        Err(error) => return collector.gap(format!("{}: {error}", folder.display())),
    };
    for entry in entries {
        let entry = match entry {
            Ok(entry) => entry,
            // Whatever else the folder holds, it was not seen.
            Err(error) => return collector.gap(format!("{}: {error}", folder.display())),
        };
        let path = inside.join(entry.file_name());
        match entry.file_type() {
            Err(error) => collector.gap(format!("{}: {error}", path.display())),
            Ok(kind) if kind.is_dir() && ignores_itself(&top.join(&path)) => {
                let path = path.display();
                collector
                    .note(format!("{path} was not looked at: its own .gitignore keeps all of it out of git"));
            }
            Ok(kind) if kind.is_dir() && entry.file_name() != ".git" => {
                walk(top, &path, depth + 1, (files, aside), collector)
            }
            Ok(kind) if kind.is_file() => files.push(path),
            // What git knows is git's to tell: the history is looked at by itself.
            Ok(kind) if kind.is_dir() => {}
            Ok(_) => aside.push(path),
        }
    }
}

/// As folders of state do: no git would ever take anything of it.
fn ignores_itself(folder: &Path) -> bool {
    let written = std::fs::read_to_string(folder.join(".gitignore")).unwrap_or_default();
    let mut lines =
        written.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).peekable();
    lines.peek().is_some() && lines.all(|line| line == "*")
}

fn look_at_all(
    folder: &Path,
    files: &[PathBuf],
    ignored: &HashSet<PathBuf>,
    options: &Options,
    collector: &mut Collector<'_>,
    progress: &(dyn Fn(Progress) + Sync),
) {
    let mut ways = Ways::default();
    let (files, beyond): (Vec<_>, Vec<_>) =
        files.iter().map(|file| (file, ways.link(folder, file))).partition(|(_, link)| link.is_none());
    for (file, link) in beyond {
        let link = link.unwrap_or_default();
        collector.gap(format!("{} was not looked at: {} is a link", file.display(), link.display()));
    }
    let files: Vec<&PathBuf> = files.into_iter().map(|(file, _)| file).collect();
    let sizes: Vec<u64> = files
        .iter()
        .map(|file| std::fs::symlink_metadata(folder.join(file)).map_or(0, |metadata| metadata.len()))
        .collect();
    let total = sizes.iter().sum();
    let mut done = 0;
    for (file, size) in files.iter().zip(sizes) {
        match look_at(&folder.join(file), options.largest, collector) {
            Ok(Some(hits)) => {
                collector.looked_at_file(size);
                let place = Place {
                    path: Some(file.display().to_string()),
                    ignored_but_committed: ignored.contains(file.as_path()),
                    ..Place::default()
                };
                collector.take(hits, &place);
            }
            Ok(None) => {}
            Err(why) => collector.gap(format!("{}: {why}", file.display())),
        }
        done += size;
        progress(Progress { done, total });
    }
}

/// None: no file, or one that was deleted and is still in the index.
fn look_at(path: &Path, largest: u64, collector: &Collector<'_>) -> Result<Option<Vec<Hit>>, String> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => metadata,
        Ok(_) => return Ok(None),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if metadata.len() > largest {
        return Err(too_large(metadata.len(), largest));
    }
    let mut file = File::open(path).map_err(|error| error.to_string())?;
    let mut detector = Detector::new(collector.live);
    let mut piece = vec![0; STEP];
    let mut first = true;
    loop {
        let read = file.read(&mut piece).map_err(|error| error.to_string())?;
        if read == 0 {
            return Ok(Some(detector.finish()));
        }
        if first && large_file(&piece[..read]).is_some() {
            return Err("a pointer of Git LFS, whose file was not fetched".into());
        }
        first = false;
        detector.push(&piece[..read]);
    }
}

pub(super) fn too_large(size: u64, largest: u64) -> String {
    format!(
        "{} MB are over the limit of {} MB, not looked at",
        size.div_ceil(1_000_000),
        largest.div_ceil(1_000_000)
    )
}

/// The digest that a pointer of Git LFS names.
pub(super) fn large_file(content: &[u8]) -> Option<String> {
    let rest = content.strip_prefix(POINTER)?;
    let text = std::str::from_utf8(&rest[..rest.len().min(400)]).ok()?;
    let oid = text.lines().find_map(|line| line.strip_prefix("oid sha256:"))?;
    (oid.len() == 64 && oid.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| oid.to_owned())
}

/// What the next commit brings, as it lies in the index: the work tree may say something else.
pub(super) fn staged(
    repository: &Repository,
    options: &Options,
    collector: &mut Collector<'_>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<(), String> {
    let (submodules, staged): (Vec<_>, Vec<_>) =
        repository.staged()?.into_iter().partition(git::Tracked::is_submodule);
    for entry in submodules {
        let path = entry.path.display();
        collector.gap(format!(
            "the submodule {path} was not looked at: it is a repository with a scan of its own"
        ));
    }
    let ids: Vec<String> = staged.iter().map(|entry| entry.id.clone()).collect();
    let live = collector.live;
    let mut found = Vec::new();
    let (mut detector, mut bytes, mut head) = (Detector::new(live), 0, Vec::new());
    repository.read(&ids, |at, part| match part {
        Part::Bytes(piece) => {
            bytes += piece.len() as u64;
            let wanted = LONGEST_POINTER.saturating_sub(head.len()).min(piece.len());
            head.extend_from_slice(&piece[..wanted]);
            if bytes <= options.largest {
                detector.push(piece);
            }
        }
        Part::End => {
            let whole = std::mem::replace(&mut detector, Detector::new(live));
            let pointer = large_file(&std::mem::take(&mut head));
            found.push((at, std::mem::take(&mut bytes), Some((whole.finish(), pointer))));
            progress(Progress { done: at as u64, total: ids.len() as u64 });
        }
        Part::Missing => found.push((at, 0, None)),
    })?;
    for (at, bytes, hits) in found {
        let path = staged[at].path.display().to_string();
        match hits {
            Some(_) if bytes > options.largest => {
                collector.gap(format!("{path}: {}", too_large(bytes, options.largest)))
            }
            Some((hits, pointer)) => {
                collector.looked_at_file(bytes);
                let place = Place { path: Some(path.clone()), ..Place::default() };
                collector.take(hits, &place);
                // What goes to LFS lies beside the objects until it is pushed.
                let content = pointer.map(|oid| {
                    let here = repository.large_file(&oid);
                    here.map_or_else(
                        || Err("a pointer of Git LFS, whose file is not here".to_owned()),
                        |file| fetched(&file, options, collector),
                    )
                });
                match content {
                    Some(Ok(hits)) => collector.take(hits, &place),
                    Some(Err(why)) => collector.gap(format!("{path}: {why}")),
                    None => {}
                }
            }
            None => collector.gap(format!("{path}: its object is missing")),
        }
    }
    Ok(())
}

/// What LFS fetched for a pointer that the history holds.
pub(super) fn fetched(path: &Path, options: &Options, collector: &Collector<'_>) -> Result<Vec<Hit>, String> {
    look_at(path, options.largest, collector).map(Option::unwrap_or_default)
}
