//! Licence expressions (SPDX 2.3, annex D) judged against a list: `OR` wants one side, `AND` both.

/// Whether a licence expression can be met with these licences alone. The old spelling with `/` means `OR`.
pub fn is_met(expression: &str, allowed: &[String]) -> Result<bool, String> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut at = 0;
    let met = either(&words, &mut at, allowed)?;
    if at == words.len() { Ok(met) } else { Err(format!("`{expression}` goes on after its end")) }
}

fn either(words: &[&str], at: &mut usize, allowed: &[String]) -> Result<bool, String> {
    let mut met = both(words, at, allowed)?;
    while words.get(*at) == Some(&"OR") {
        *at += 1;
        met |= both(words, at, allowed)?;
    }
    Ok(met)
}

fn both(words: &[&str], at: &mut usize, allowed: &[String]) -> Result<bool, String> {
    let mut met = one(words, at, allowed)?;
    while words.get(*at) == Some(&"AND") {
        *at += 1;
        met &= one(words, at, allowed)?;
    }
    Ok(met)
}

fn one(words: &[&str], at: &mut usize, allowed: &[String]) -> Result<bool, String> {
    let word = *words.get(*at).ok_or("a licence expression ends too early")?;
    *at += 1;
    if word == "(" {
        let met = either(words, at, allowed)?;
        return match words.get(*at) {
            Some(&")") => {
                *at += 1;
                Ok(met)
            }
            _ => Err("a parenthesis in a licence expression is not closed".to_owned()),
        };
    }
    if matches!(word, ")" | "OR" | "AND" | "WITH") {
        return Err(format!("`{word}` where a licence is expected"));
    }
    let mut licence = word.to_owned();
    if words.get(*at) == Some(&"WITH") {
        let exception = words.get(*at + 1).ok_or("WITH without an exception")?;
        licence = format!("{word} WITH {exception}");
        *at += 2;
    }
    Ok(allowed.contains(&licence))
}

#[test]
fn expressions_are_read_as_spdx_reads_them() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    for (expression, met) in [
        ("MIT", true),
        ("GPL-3.0-only", false),
        ("MIT OR GPL-3.0-only", true),
        ("MIT AND GPL-3.0-only", false),
        ("MIT/GPL-3.0-only", true),
        ("GPL-3.0-only OR MIT AND ISC", true),
        ("(GPL-3.0-only OR MIT) AND BSD-3-Clause", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
    ] {
        assert_eq!(is_met(expression, &allowed), Ok(met), "{expression}");
    }
    for broken in ["", "MIT OR", "(MIT", "MIT ISC", "AND MIT", "MIT WITH"] {
        assert!(is_met(broken, &allowed).is_err(), "{broken}");
    }
}
