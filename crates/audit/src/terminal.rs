//! Texts of strangers, as a terminal may be given them: file names of a repository, fields of a report. None of them moves
//! the cursor, colours what follows, forges a line, or turns the direction of writing.

/// With controls written as escapes: a line break becomes `\n`.
#[must_use]
pub fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        let turns = matches!(
            letter,
            '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        );
        if turns || letter.is_control() {
            out.extend(letter.escape_default());
        } else {
            out.push(letter);
        }
    }
    out
}

/// The same on one line: line breaks and tabs become blanks.
#[must_use]
pub fn one_line(text: &str) -> String {
    printable(&text.replace(['\n', '\r', '\t'], " "))
}
