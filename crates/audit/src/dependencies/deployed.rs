//! What runs against what is locked: the list of dependencies that `cargo auditable` puts into a binary (section
//! `.dep-v0`) must be found in a Cargo.lock of the repository.

use std::path::Path;

use super::locks::{Locks, Package, Registry};
use crate::evidence::Evidence;
use crate::report::Claim;

/// The claim's id.
pub(crate) const CLAIM: &str = "what_runs_is_what_is_locked";

/// One package that was built in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuiltIn {
    pub(crate) name: String,
    pub(crate) version: String,
    /// From a registry; otherwise from the repository, or from another one.
    pub(crate) of_registry: bool,
}

/// Reads the list of a binary.
pub(crate) fn observe(binary: &Path) -> Result<Vec<BuiltIn>, String> {
    let info = auditable_info::audit_info_from_file(binary, auditable_info::Limits::default())
        .map_err(|error| error.to_string())?;
    // The source is one of a few words; its type is another crate's.
    let of_registry = |source: String| matches!(source.as_str(), "crates.io" | "registry");
    Ok(info
        .packages
        .into_iter()
        .map(|package| BuiltIn {
            name: package.name,
            version: package.version.to_string(),
            of_registry: of_registry(package.source.into()),
        })
        .collect())
}

pub(crate) fn judge(binary: &Path, seen: &Result<Vec<BuiltIn>, String>, locks: &Locks) -> Claim {
    let name = binary.display();
    let built_in = match seen {
        Ok(built_in) if !built_in.is_empty() => built_in,
        Ok(_) => {
            let evidence = Evidence::file(format!("{name}: the list of its dependencies is empty"));
            return Claim::not_proven(
                CLAIM,
                vec![evidence],
                "build it with cargo auditable build --release --locked",
            );
        }
        Err(why) => {
            let evidence =
                Evidence::file(format!("{name}: no list of dependencies can be read in it: {why}"));
            return Claim::not_proven(
                CLAIM,
                vec![evidence],
                "build it with cargo auditable build --release --locked",
            );
        }
    };
    if !locks.packages.iter().any(|package| package.registry == Registry::Crates) {
        let evidence = Evidence::file("no Cargo.lock to compare it with");
        return Claim::not_proven(CLAIM, vec![evidence], "point [audit] repository at its source");
    }
    let is_locked = |one: &BuiltIn| {
        if one.of_registry {
            locks.packages.contains(&Package::new(Registry::Crates, &one.name, &one.version))
        } else {
            locks.local.contains(&(one.name.clone(), one.version.clone()))
        }
    };
    let foreign: Vec<&BuiltIn> = built_in.iter().filter(|one| !is_locked(one)).collect();
    if foreign.is_empty() {
        let what = format!("{name}: each of its {} packages is locked in that version", built_in.len());
        return Claim::pass(CLAIM, vec![Evidence::file(what)]);
    }
    let evidence = foreign.into_iter().map(|one| {
        let others = locks
            .packages
            .iter()
            .filter(|package| package.registry == Registry::Crates && package.name == one.name);
        let locked: Vec<&str> = others.map(|package| package.version.as_str()).collect();
        let locked = if locked.is_empty() { "not at all".to_owned() } else { locked.join(", ") };
        Evidence::file(format!("{name}: {} {} runs, locked is {locked}", one.name, one.version))
    });
    Claim::fail(CLAIM, evidence.collect(), "deploy what this commit builds, or audit the commit that runs")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::Verdict;

    /// An ELF file with one section `.dep-v0`, its content in zlib's stored form.
    fn elf(json: &str) -> Vec<u8> {
        let length = u16::try_from(json.len()).unwrap();
        let mut packed = vec![0x78, 0x01, 0x01];
        packed.extend(length.to_le_bytes());
        packed.extend((!length).to_le_bytes());
        packed.extend(json.bytes());
        let (mut low, mut high) = (1_u32, 0_u32);
        for byte in json.bytes() {
            low = (low + u32::from(byte)) % 65_521;
            high = (high + low) % 65_521;
        }
        packed.extend((high << 16 | low).to_be_bytes());

        let names = b"\0.dep-v0\0.shstrtab\0";
        let (at_content, at_names) = (64_usize, 64 + packed.len());
        let at_sections = (at_names + names.len()).next_multiple_of(8);
        let mut file = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0];
        file.resize(16, 0);
        for (value, bytes) in [
            (2_u64, 2_usize), // executable
            (62, 2),          // x86-64
            (1, 4),
            (0, 8),
            (0, 8),
            (at_sections as u64, 8),
            (0, 4),
            (64, 2),
            (56, 2),
            (0, 2),
            (64, 2), // size of a section's header
            (3, 2),
            (2, 2),
        ] {
            file.extend(&value.to_le_bytes()[..bytes]);
        }
        file.extend(packed.iter());
        file.extend(names);
        file.resize(at_sections, 0);
        for (name, kind, at, size) in
            [(0, 0, 0, 0), (1, 1, at_content, packed.len()), (9, 3, at_names, names.len())]
        {
            for (value, bytes) in
                [(name, 4), (kind, 4), (0, 8), (0, 8), (at, 8), (size, 8), (0, 4), (0, 4), (1, 8), (0, 8)]
            {
                file.extend(&(value as u64).to_le_bytes()[..bytes]);
            }
        }
        file
    }

    #[test]
    fn a_binary_is_compared_with_the_lock() {
        let json = r#"{"packages": [
            {"name": "app", "version": "1.0.0", "source": "local", "dependencies": [1], "root": true},
            {"name": "serde", "version": "1.0.200", "source": "crates.io"}]}"#;
        let locks = |serde: &str, app: &str| Locks {
            packages: [Package::new(Registry::Crates, "serde", serde)].into(),
            local: [("app".to_owned(), app.to_owned())].into(),
            ..Locks::default()
        };
        for (bytes, locks, wanted, said) in [
            (elf(json), locks("1.0.200", "1.0.0"), Verdict::Pass, "each of its 2 packages"),
            (elf(json), locks("1.0.201", "1.0.0"), Verdict::Fail, "serde 1.0.200 runs, locked is 1.0.201"),
            (elf(json), locks("1.0.200", "1.1.0"), Verdict::Fail, "app 1.0.0 runs"),
            (elf(json), Locks::default(), Verdict::NotProven, "no Cargo.lock"),
            (elf(r#"{"packages": []}"#), locks("1.0.200", "1.0.0"), Verdict::NotProven, "list of"),
            (b"#!/bin/sh\n".to_vec(), locks("1.0.200", "1.0.0"), Verdict::NotProven, "no list"),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let binary = folder.path().join("app");
            std::fs::write(&binary, bytes).unwrap();
            let claim = judge(&binary, &observe(&binary), &locks);
            assert_eq!(claim.verdict, wanted, "{said}: {claim:?}");
            assert!(claim.evidence[0].what.contains(said), "{said}: {claim:?}");
        }
        let absent = observe(Path::new("/nonexistent"));
        assert_eq!(judge(Path::new("/nonexistent"), &absent, &Locks::default()).verdict, Verdict::NotProven);
    }
}
