//! Every object of a repository, once: blobs, and the texts of commits and tags. `--batch-all-objects` also has what no
//! branch leads to: stashes, tags beside all branches, commits that were amended away.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};

use super::collect::Collector;
use super::detect::{Detector, Hit};
use super::git::{Object, Part, Repository};
use super::live::Live;
use super::tree::{fetched, large_file, too_large};
use super::{Options, Place, Progress};

/// Readers at once.
const READERS: usize = 4;
/// A pointer of Git LFS is shorter.
const POINTER: usize = 1024;

struct Looked {
    at: usize,
    hits: Vec<Hit>,
    /// Of a pointer of Git LFS the digest.
    pointer: Option<String>,
    missing: bool,
}

pub(super) fn everything(
    repository: &Repository,
    options: &Options,
    collector: &mut Collector<'_>,
    progress: &(dyn Fn(Progress) + Sync),
) {
    if repository.shallow {
        collector
            .gap("the clone is shallow, so most of its history is not here: git fetch --unshallow".into());
    }
    if repository.is_partial() {
        collector.gap(
            "the clone is partial, so some of its objects are not here: clone it without --filter".into(),
        );
    }
    let listed = repository.objects().and_then(|objects| Ok((objects, repository.names()?)));
    let (objects, names) = match listed {
        Ok(listed) => listed,
        Err(why) => return collector.gap(format!("the history was not looked at: {why}")),
    };
    let mut wanted = Vec::new();
    for object in objects.into_iter().filter(|object| object.kind != "tree") {
        if object.size > options.largest {
            collector.gap(format!("{}: {}", named(&object, &names), too_large(object.size, options.largest)));
        } else {
            wanted.push(object);
        }
    }
    // The same order every time, the large ones first, so that the readers end together.
    wanted.sort_by(|one, other| (other.size, &one.id).cmp(&(one.size, &other.id)));
    let mut looked = Vec::new();
    for outcome in read(repository, &wanted, collector.live, progress) {
        match outcome {
            Ok(some) => looked.extend(some),
            Err(why) => collector.gap(format!("the history was not looked at in whole: {why}")),
        }
    }
    looked.sort_by_key(|one| one.at);
    let bytes = wanted.iter().map(|object| object.size).sum();
    collector.looked_at_objects(looked.iter().filter(|one| !one.missing).count(), bytes);
    for one in looked {
        let object = &wanted[one.at];
        if one.missing {
            collector.gap(format!("{} is missing", named(object, &names)));
        }
        let place = Place {
            path: names.get(&object.id).cloned().or_else(|| told_by(object)),
            object: Some(object.id.clone()),
            ..Place::default()
        };
        collector.take(one.hits, &place);
        if let Some(oid) = one.pointer {
            match repository.large_file(&oid).map(|path| fetched(&path, options, collector)) {
                Some(Ok(hits)) => collector.take(hits, &place),
                Some(Err(why)) => collector.gap(format!("{}: {why}", named(object, &names))),
                None => {
                    collector.gap(format!("{}: its file in Git LFS was not fetched", named(object, &names)))
                }
            }
        }
    }
}

/// Of an object that is no file.
fn told_by(object: &Object) -> Option<String> {
    (object.kind != "blob").then(|| format!("({} message)", object.kind))
}

fn named(object: &Object, names: &HashMap<String, String>) -> String {
    let id: String = object.id.chars().take(12).collect();
    names.get(&object.id).map_or_else(|| format!("object {id}"), |path| format!("{path} (object {id})"))
}

/// Several readers, each with a git of its own.
fn read(
    repository: &Repository,
    objects: &[Object],
    live: Option<&Live>,
    progress: &(dyn Fn(Progress) + Sync),
) -> Vec<Result<Vec<Looked>, String>> {
    let readers =
        std::thread::available_parallelism().map_or(1, usize::from).min(READERS).min(objects.len().max(1));
    let total = objects.iter().map(|object| object.size).sum();
    let done = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..readers)
            .map(|reader| {
                let done = &done;
                scope.spawn(move || {
                    let mine: Vec<usize> = (reader..objects.len()).step_by(readers).collect();
                    let ids: Vec<String> = mine.iter().map(|at| objects[*at].id.clone()).collect();
                    let mut looked = Vec::new();
                    let mut detector = Detector::new(live);
                    let mut head: Vec<u8> = Vec::new();
                    repository.read(&ids, |at, part| match part {
                        Part::Bytes(piece) => {
                            if head.is_empty() && objects[mine[at]].size < POINTER as u64 {
                                head.extend_from_slice(piece);
                            }
                            detector.push(piece);
                            let done =
                                done.fetch_add(piece.len() as u64, Ordering::Relaxed) + piece.len() as u64;
                            progress(Progress { done, total });
                        }
                        Part::End => {
                            let hits = std::mem::replace(&mut detector, Detector::new(live)).finish();
                            let pointer = large_file(&std::mem::take(&mut head));
                            looked.push(Looked { at: mine[at], hits, pointer, missing: false });
                        }
                        Part::Missing => {
                            looked.push(Looked {
                                at: mine[at],
                                hits: Vec::new(),
                                pointer: None,
                                missing: true,
                            });
                        }
                    })?;
                    Ok(looked)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| Err("a reader broke off".into())))
            .collect()
    })
}
