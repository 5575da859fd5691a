//! Files: those that git tracks or would take, those of the next commit, or all of a folder.

use std::collections::HashSet;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use super::collect::Collector;
use super::detect::{Detector, Hit};
use super::git::{Part, Repository};
use super::{Options, Place, Progress, ScanError, folder_of, scan};

const STEP: usize = 256 << 10;
/// What a file of Git LFS holds in place of its content.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
/// Folders in folders, at most.
const DEEPEST: usize = 128;

/// Every file of the index and every new one that no `.gitignore` names. What is ignored and not committed is in nobody's
/// repository; what is ignored and committed all the same is looked at, and the finding says so.
pub(super) fn tracked_and_new(
    repository: &Repository,
    options: &Options,
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
    for entry in tracked {
        if entry.is_submodule() {
            submodule(&folder, &entry.path, options, collector);
        } else {
            files.push(entry.path);
        }
    }
    files.extend(untracked);
    files.sort();
    // A conflict has one path three times.
    files.dedup();
    if let Some(only) = only {
        files = vec![only];
    }
    look_at_all(&folder, &files, &ignored, options, collector, progress);
}

/// A repository of its own, if it was fetched.
fn submodule(folder: &Path, path: &Path, options: &Options, collector: &mut Collector<'_>) {
    let inside = folder.join(path);
    if !inside.join(".git").exists() {
        return collector.gap(format!("the submodule {} was not fetched", path.display()));
    }
    let options = Options { path: inside, ..options.clone() };
    match scan(&options, &|_| {}) {
        Ok(scanned) => collector.join(path, scanned),
        Err(ScanError::Nothing(why) | ScanError::Git(why)) => {
            collector.gap(format!("the submodule {} was not looked at: {why}", path.display()));
        }
    }
}

/// A folder that is no repository, or one file.
pub(super) fn plain(options: &Options, collector: &mut Collector<'_>, progress: &(dyn Fn(Progress) + Sync)) {
    let folder = folder_of(&options.path);
    let mut files = Vec::new();
    if options.path.is_dir() {
        walk(&folder, Path::new(""), 0, &mut files, collector);
    } else {
        files.extend(options.path.file_name().map(PathBuf::from));
    }
    files.sort();
    look_at_all(&folder, &files, &HashSet::new(), options, collector, progress);
}

/// Links are not followed, so that no loop is endless and nothing outside is read.
fn walk(top: &Path, inside: &Path, depth: usize, files: &mut Vec<PathBuf>, collector: &mut Collector<'_>) {
    let folder = top.join(inside);
    let entries = match std::fs::read_dir(&folder) {
        Ok(entries) if depth < DEEPEST => entries,
        Ok(_) => return collector.gap(format!("{} lies too deep", folder.display())),
        Err(error) => return collector.gap(format!("{}: {error}", folder.display())),
    };
    for entry in entries.flatten() {
        let path = inside.join(entry.file_name());
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && entry.file_name() != ".git" => {
                walk(top, &path, depth + 1, files, collector)
            }
            Ok(kind) if kind.is_file() => files.push(path),
            _ => {}
        }
    }
}

fn look_at_all(
    folder: &Path,
    files: &[PathBuf],
    ignored: &HashSet<PathBuf>,
    options: &Options,
    collector: &mut Collector<'_>,
    progress: &(dyn Fn(Progress) + Sync),
) {
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
                    ignored_but_committed: ignored.contains(file),
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
    let staged: Vec<_> = repository.staged()?.into_iter().filter(|entry| !entry.is_submodule()).collect();
    let ids: Vec<String> = staged.iter().map(|entry| entry.id.clone()).collect();
    let live = collector.live;
    let mut found = Vec::new();
    let (mut detector, mut bytes) = (Detector::new(live), 0);
    repository.read(&ids, |at, part| match part {
        Part::Bytes(piece) => {
            bytes += piece.len() as u64;
            if bytes <= options.largest {
                detector.push(piece);
            }
        }
        Part::End => {
            let whole = std::mem::replace(&mut detector, Detector::new(live));
            found.push((at, std::mem::take(&mut bytes), Some(whole.finish())));
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
            Some(hits) => {
                collector.looked_at_file(bytes);
                collector.take(hits, &Place { path: Some(path), ..Place::default() });
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
