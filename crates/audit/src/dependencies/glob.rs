//! Paths against the patterns of Dependabot, Renovate and workspaces: `*`, `?`, `**`, `{a,b}`.

/// Whether a pattern matches a whole path; both without a slash at the ends.
pub(crate) fn matches(pattern: &str, path: &str) -> bool {
    let path: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    alternatives(pattern).iter().any(|pattern| {
        let pattern: Vec<&str> = pattern.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        parts(&pattern, &path)
    })
}

/// Whether there is anything in it that is more than letters.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '{'])
}

/// `a/{b,c}` written out.
fn alternatives(pattern: &str) -> Vec<String> {
    let Some((before, rest)) = pattern.split_once('{') else { return vec![pattern.to_owned()] };
    let Some((inside, after)) = rest.split_once('}') else { return vec![pattern.to_owned()] };
    let written = inside.split(',').map(|one| format!("{before}{one}{after}"));
    // Many braces in a row would be many patterns: nobody writes more than a few.
    written.flat_map(|pattern| alternatives(&pattern)).take(256).collect()
}

/// One look at each part of the path for each of the pattern, however many `**` somebody wrote.
fn parts(pattern: &[&str], path: &[&str]) -> bool {
    // How many of the path's parts the pattern may have taken so far.
    let mut taken = vec![false; path.len() + 1];
    taken[0] = true;
    for part in pattern {
        if *part == "**" {
            let first = taken.iter().position(|taken| *taken).unwrap_or(taken.len());
            taken[first..].fill(true);
            continue;
        }
        for at in (0..path.len()).rev() {
            taken[at + 1] = taken[at] && within(part.as_bytes(), path[at].as_bytes());
        }
        taken[0] = false;
    }
    taken[path.len()]
}

/// One part of a path: no star crosses a slash.
fn within(pattern: &[u8], text: &[u8]) -> bool {
    // The last star and where it began to match, to come back to.
    let (mut at, mut of, mut star): (usize, usize, Option<(usize, usize)>) = (0, 0, None);
    while of < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(b'?') => {
                at += 1;
                of += 1;
            }
            Some(byte) if *byte == text[of] => {
                at += 1;
                of += 1;
            }
            _ => match star {
                Some((pattern_at, text_at)) => {
                    star = Some((pattern_at, text_at + 1));
                    at = pattern_at + 1;
                    of = text_at + 1;
                }
                None => return false,
            },
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_whole_paths() {
        for (pattern, path, wanted) in [
            ("crates/*", "crates/audit", true),
            ("crates/*", "crates/audit/fuzz", false),
            ("crates/*", "crates", false),
            ("**", "", true),
            ("**/tests/**", "tests/ecosystem/package.json", true),
            ("**/tests/**", "a/tests/package.json", true),
            ("**/test/**", "tests/package.json", false),
            ("a/**/c", "a/b/b/c", true),
            ("a/**/c", "a/c", true),
            ("a/**/c", "a/c/d", false),
            ("**/a/**/b", "a/x/a/b", true),
            ("a", "", false),
            ("", "", true),
            ("packages/{a,b}", "packages/b", true),
            ("packages/{a,b}", "packages/c", false),
            ("a?c", "abc", true),
            ("*a*b", "xaxxb", true),
            ("*a*b", "xaxxbc", false),
            ("/./crates/x/", "crates/x", true),
        ] {
            assert_eq!(matches(pattern, path), wanted, "{pattern} {path}");
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_longer_than_any_other() {
        let path = "a/".repeat(100);
        assert!(!matches(&format!("{}b", "**/a/".repeat(100)), &path));
        assert!(!matches(&format!("{}b", "**/".repeat(100)), &path));
    }
}
