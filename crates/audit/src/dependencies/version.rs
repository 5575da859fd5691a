//! Versions of the registries: which is newer, which is a preview, which may take another's place.

use std::cmp::Ordering;

use semver::Version;

/// How a registry writes versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// crates.io, npm, Go, and those who write like them.
    Semantic,
    /// PyPI: PEP 440.
    Python,
}

impl Scheme {
    /// Which comes later; none where one is no version.
    pub(crate) fn compare(self, one: &str, other: &str) -> Option<Ordering> {
        match self {
            Self::Semantic => Some(semantic(one)?.cmp_precedence(&semantic(other)?)),
            Self::Python => Some(Python::parse(one)?.cmp(&Python::parse(other)?)),
        }
    }

    pub(crate) fn is_preview(self, version: &str) -> bool {
        match self {
            Self::Semantic => semantic(version).is_none_or(|version| !version.pre.is_empty()),
            Self::Python => Python::parse(version).is_none_or(|version| version.is_preview()),
        }
    }

    /// Whether a newer version may be taken without a thought: the same major number, below 1.0 the same minor one.
    pub(crate) fn may_replace(self, old: &str, new: &str) -> bool {
        let numbers = |version: &str| match self {
            Self::Semantic => semantic(version).map(|version| [version.major, version.minor, version.patch]),
            Self::Python => Python::parse(version).map(|version| version.first_three()),
        };
        let (Some(old), Some(new)) = (numbers(old), numbers(new)) else { return false };
        match old {
            [0, 0, _] => old == new,
            [0, minor, _] => new[0] == 0 && new[1] == minor,
            [major, ..] => new[0] == major,
        }
    }
}

/// `v1.2` is taken for `1.2.0`.
pub(crate) fn semantic(text: &str) -> Option<Version> {
    let text = text.trim().trim_start_matches(['v', '=']);
    if let Ok(version) = Version::parse(text) {
        return Some(version);
    }
    let end = text.find(['-', '+']).unwrap_or(text.len());
    let (numbers, rest) = text.split_at(end);
    let missing = 2_usize.checked_sub(numbers.matches('.').count())?;
    Version::parse(&format!("{numbers}{}{rest}", ".0".repeat(missing))).ok()
}

/// A version by PEP 440, as the tuple that it is ordered by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Python {
    epoch: u64,
    release: Vec<u64>,
    /// a, b, rc and their number; without one it comes after all of them, and for a bare `.dev` before.
    pre: (i8, u64),
    /// None comes before `.post0`.
    post: Option<u64>,
    /// A `.dev` comes before the version itself.
    dev: u64,
}

impl Python {
    const FINAL: i8 = 9;

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim().to_ascii_lowercase();
        let text = text.trim_start_matches('v').split('+').next()?;
        let (epoch, text) = match text.split_once('!') {
            Some((epoch, text)) => (epoch.parse().ok()?, text),
            None => (0, text),
        };
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (numbers, mut rest) = text.split_at(end);
        let mut release = numbers
            .trim_end_matches('.')
            .split('.')
            .map(|part| part.parse().ok())
            .collect::<Option<Vec<u64>>>()?;
        while release.len() > 1 && release.last() == Some(&0) {
            release.pop();
        }
        let (mut pre, mut post, mut dev) = (None, None, None);
        while !rest.is_empty() {
            rest = rest.trim_start_matches(['.', '-', '_']);
            let letters = rest.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(rest.len());
            let (word, after) = rest.split_at(letters);
            let after = after.trim_start_matches(['.', '-', '_']);
            let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
            let (number, after) = after.split_at(digits);
            let number = if number.is_empty() { 0 } else { number.parse().ok()? };
            match word {
                "a" | "alpha" => pre = Some((0, number)),
                "b" | "beta" => pre = Some((1, number)),
                "c" | "rc" | "pre" | "preview" => pre = Some((2, number)),
                "post" | "rev" | "r" => post = Some(number),
                "" if digits > 0 => post = Some(number),
                "dev" => dev = Some(number),
                _ => return None,
            }
            rest = after;
        }
        let pre = pre.unwrap_or(if dev.is_some() && post.is_none() { (-1, 0) } else { (Self::FINAL, 0) });
        Some(Self { epoch, release, pre, post, dev: dev.unwrap_or(u64::MAX) })
    }

    fn is_preview(&self) -> bool {
        self.pre.0 != Self::FINAL || self.dev != u64::MAX
    }

    fn first_three(&self) -> [u64; 3] {
        let number = |at: usize| self.release.get(at).copied().unwrap_or(0);
        [number(0), number(1), number(2)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_their_registry_orders_them() {
        use Scheme::{Python, Semantic};
        for (scheme, ordered) in [
            (Semantic, &["1.0.0-alpha.2", "1.0.0-alpha.10", "1.0.0", "v1.2", "1.10.0"][..]),
            (
                Python,
                &[
                    "1.0.dev1",
                    "1.0a1",
                    "1.0b2.dev1",
                    "1.0b2",
                    "1.0rc1",
                    "1.0",
                    "1.0.post1",
                    "1.0.1",
                    "1.10",
                    "1!0.1",
                ][..],
            ),
        ] {
            for (at, one) in ordered.iter().enumerate() {
                for (other_at, other) in ordered.iter().enumerate() {
                    assert_eq!(scheme.compare(one, other), Some(at.cmp(&other_at)), "{one} {other}");
                }
            }
        }
        assert_eq!(Python.compare("1.0", "1.0.0"), Some(Ordering::Equal));
        assert_eq!(Python.compare("2026.10.19.post1", "2026.10.19-1"), Some(Ordering::Equal));
        assert_eq!(Semantic.compare("1.0.0", "latest"), None);
        assert_eq!(Python.compare("1.0", "1.0-weird"), None);
    }

    #[test]
    fn what_may_replace_what() {
        for (scheme, old, new, wanted) in [
            (Scheme::Semantic, "1.2.3", "1.9.0", true),
            (Scheme::Semantic, "1.2.3", "2.0.0", false),
            (Scheme::Semantic, "0.4.1", "0.4.2", true),
            (Scheme::Semantic, "0.4.1", "0.5.0", false),
            (Scheme::Semantic, "0.0.1", "0.0.2", false),
            (Scheme::Python, "26.1", "26.2", true),
            (Scheme::Python, "26.1", "27.0", false),
        ] {
            assert_eq!(scheme.may_replace(old, new), wanted, "{old} {new}");
        }
        assert!(Scheme::Semantic.is_preview("1.0.0-beta.1") && !Scheme::Semantic.is_preview("1.0.0"));
        assert!(Scheme::Python.is_preview("1.0rc1") && !Scheme::Python.is_preview("1.0.post1"));
    }
}
