//! Passwords that are tried first: common ones, and those made of common pieces, of the user's own address, of a row of keys.
//!
//! NIST SP 800-63B-4 section 3.1.1.2 wants new passwords compared with a list of common, expected and compromised ones. At fifteen
//! characters and more a plain list catches little, since people reach the length by gluing and repeating. So a password is cut into
//! the fewest pieces (a listed word, a row of keys, a run, a year, two digits, else a single character) and refused when there are three or
//! fewer. A password of any other make passes: there is no composition rule.

use std::collections::HashSet;
use std::sync::LazyLock;

use unicode_normalization::UnicodeNormalization;

use crate::user::Email;

/// Words and passwords, one a line, gathered for this project; `#` begins a comment.
const WORDS: &str = include_str!("../words.txt");

/// A password of this many pieces or fewer is predictable.
const PREDICTABLE_PIECES: usize = 3;
/// A piece that is repeated is fine when it is this long by itself, in code points.
const LONG_PIECE: usize = 15;
/// Fewer different characters than this make no password.
const FEWEST_CHARACTERS: usize = 5;
/// Shortest run or row of keys that is one piece.
const SHORTEST_RUN: usize = 3;
/// Shortest word that is one piece.
const SHORTEST_WORD: usize = 3;

/// Rows of keys and of signs that fingers and memory follow; also read backwards.
const ROWS: [&str; 17] = [
    "1234567890-=",
    "qwertyuiop[]",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "qwertzuiop",
    "yxcvbnm",
    "azertyuiop",
    "qsdfghjklm",
    "wxcvbn",
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "!@#$%^&*()_+",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "1q2w3e4r5t6y7u8i9o0p",
    "qazwsxedcrfvtgbyhnujmikolp",
    "147258369",
    "йцукенгшщзхъ",
];

/// Why a password is predictable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predictable {
    /// On the list, or made of few listed words.
    Common,
    /// Made of the address or the service's name.
    Context,
    /// A short piece again and again, or very few different characters.
    Repeated,
    /// Rows of keys, the alphabet, digits in order.
    Sequence,
}

/// Words that only mean something for this user at this service.
#[derive(Debug, Clone, Default)]
pub struct Context {
    words: HashSet<String>,
}

impl Context {
    /// Takes the address, its local part and host and their parts, and the service's name and its words.
    #[must_use]
    pub fn new(email: &Email, service_name: &str) -> Self {
        let mut words = HashSet::new();
        let host_name = email.host().split('.').next().unwrap_or("");
        let service = Letters::of(service_name);
        for text in
            [email.canonical(), email.local_part(), email.host(), host_name, service_name, &service.lower()]
        {
            let letters = Letters::of(text);
            for part in letters.lower().split(|c: char| !c.is_alphanumeric()) {
                insert(&mut words, part);
            }
            insert(&mut words, &letters.lower());
            let joined: String = letters.lower().chars().filter(|c| c.is_alphanumeric()).collect();
            insert(&mut words, &joined);
        }
        Self { words }
    }
}

fn insert(words: &mut HashSet<String>, text: &str) {
    if text.chars().count() >= SHORTEST_WORD {
        words.insert(text.chars().map(unleet).collect());
    }
}

static LISTED: LazyLock<(HashSet<String>, usize)> = LazyLock::new(|| {
    let mut words = HashSet::new();
    let mut longest = 0;
    for line in WORDS.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let word: String =
            Letters::of(line).chars.iter().filter(|c| !is_separator(**c)).map(|c| unleet(*c)).collect();
        longest = longest.max(word.chars().count());
        words.insert(word);
    }
    (words, longest)
});

/// Judges a password that is long enough; `None` when nothing speaks against it.
#[must_use]
pub fn judge(password: &str, context: &Context) -> Option<Predictable> {
    let letters = Letters::of(password);
    if letters.distinct() < FEWEST_CHARACTERS || letters.repeats_a_short_piece() {
        return Some(Predictable::Repeated);
    }
    let (listed, _) = &*LISTED;
    if listed.contains(&letters.folded()) {
        return Some(Predictable::Common);
    }
    let pieces = letters.fewest_pieces(context);
    if pieces.len() > PREDICTABLE_PIECES {
        return None;
    }
    Some(if pieces.contains(&Piece::Context) {
        Predictable::Context
    } else if pieces.contains(&Piece::Listed) {
        Predictable::Common
    } else if pieces.contains(&Piece::Row) {
        Predictable::Sequence
    } else {
        Predictable::Repeated
    })
}

/// Number of listed words and passwords.
#[must_use]
pub fn len() -> usize {
    LISTED.0.len()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Context,
    Listed,
    Row,
    Run,
    Number,
    Single,
}

/// A password as its characters, compatibility forms and case folded away.
struct Letters {
    chars: Vec<char>,
}

impl Letters {
    fn of(text: &str) -> Self {
        Self { chars: text.nfkc().flat_map(char::to_lowercase).collect() }
    }

    fn lower(&self) -> String {
        self.chars.iter().collect()
    }

    /// Without separators, and with digits and signs that stand for letters read as those.
    fn folded(&self) -> String {
        self.chars.iter().filter(|c| !is_separator(**c)).map(|c| unleet(*c)).collect()
    }

    fn distinct(&self) -> usize {
        self.chars.iter().collect::<HashSet<_>>().len()
    }

    /// Whether the whole is one piece of fewer than [`LONG_PIECE`] characters, twice or more, the last perhaps cut short or a little longer.
    fn repeats_a_short_piece(&self) -> bool {
        let chars: Vec<char> = self.chars.iter().copied().filter(|c| !is_separator(*c)).collect();
        let longest = (chars.len() / 2).min(LONG_PIECE - 1);
        (1..=longest).any(|length| {
            let agreeing =
                chars.iter().zip(chars.iter().skip(length)).take_while(|(here, there)| here == there).count();
            // One or two characters more at the end ("abcabc!1") change nothing.
            agreeing + length + 2 >= chars.len() && agreeing >= length
        })
    }

    /// The cut into the fewest pieces, by dynamic programming over the position; separators are free.
    fn fewest_pieces(&self, context: &Context) -> Vec<Piece> {
        let chars: Vec<char> = self.chars.iter().copied().filter(|c| !is_separator(*c)).collect();
        let (listed, longest) = &*LISTED;
        let folded: String = chars.iter().map(|c| unleet(*c)).collect();
        let offsets: Vec<usize> = folded.char_indices().map(|(at, _)| at).chain([folded.len()]).collect();
        let longest = context.words.iter().map(|word| word.chars().count()).max().unwrap_or(0).max(*longest);

        // best[n]: fewest pieces for the first n characters, the last of them, and where it begins.
        let mut best: Vec<(usize, Piece, usize)> = vec![(0, Piece::Single, 0)];
        for end in 1..=chars.len() {
            let before = best.get(end - 1).map_or(0, |entry| entry.0);
            let mut choice = (before + 1, Piece::Single, end - 1);
            for start in (0..end).rev() {
                let length = end - start;
                let piece = chars.get(start..end).and_then(run).or_else(|| {
                    let word = offsets
                        .get(start)
                        .zip(offsets.get(end))
                        .and_then(|(from, to)| folded.get(*from..*to))?;
                    (length >= SHORTEST_WORD && length <= longest).then_some(())?;
                    if context.words.contains(word) {
                        Some(Piece::Context)
                    } else {
                        listed.contains(word).then_some(Piece::Listed)
                    }
                });
                let pieces = best.get(start).map_or(0, |entry| entry.0) + 1;
                if let Some(piece) = piece
                    && pieces < choice.0
                {
                    choice = (pieces, piece, start);
                }
                // No row of keys is longer than this, nor any word; a run of one character was one piece all along.
                if length > longest.max(40) {
                    break;
                }
            }
            best.push(choice);
        }

        let mut pieces = Vec::new();
        let mut end = chars.len();
        while end > 0 {
            let Some((_, piece, start)) = best.get(end) else { break };
            pieces.push(*piece);
            end = *start;
        }
        pieces
    }
}

/// Two digits or a year, as people append them; one character again and again; or a stretch of a row of keys.
fn run(chars: &[char]) -> Option<Piece> {
    let (first, rest) = chars.split_first()?;
    if chars.len() == 2 && chars.iter().all(char::is_ascii_digit) {
        return Some(Piece::Number);
    }
    // "!!" at the end is one thought.
    if chars.len() == 2 && rest.contains(first) && !first.is_alphanumeric() {
        return Some(Piece::Run);
    }
    if chars.len() < SHORTEST_RUN {
        return None;
    }
    if rest.iter().all(|c| c == first) {
        return Some(Piece::Run);
    }
    if let ['1', '9', c, d] | ['2', '0', c, d] = chars
        && c.is_ascii_digit()
        && d.is_ascii_digit()
    {
        return Some(Piece::Number);
    }
    let forwards: String = chars.iter().collect();
    let backwards: String = chars.iter().rev().collect();
    ROWS.iter().any(|row| row.contains(&forwards) || row.contains(&backwards)).then_some(Piece::Row)
}

/// Signs that people put between words without thinking them part of the secret.
fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '_' | '.' | ',' | '\'')
}

/// The letter that a digit or sign stands for; both sides of a comparison go through it.
const fn unleet(c: char) -> char {
    match c {
        '@' | '4' => 'a',
        '3' | '€' => 'e',
        '1' | '!' | '|' | 'l' => 'i',
        '0' => 'o',
        '5' | '$' => 's',
        '7' | '+' => 't',
        '8' => 'b',
        '9' => 'g',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn context() -> Context {
        Context::new(&Email::parse("jane.doe42@acme-widgets.example").unwrap(), "Acme Widgets")
    }

    #[test]
    fn the_list_is_there() {
        assert!(len() >= 2_000, "{}", len());
    }

    #[test]
    fn predictable_passwords_are_found() {
        for (password, reason) in [
            ("correcthorsebatterystaple", Predictable::Common),
            ("Correct-Horse_Battery.Staple", Predictable::Common),
            ("P@ssw0rd12345678", Predictable::Common),
            ("iloveyou2024!!!!", Predictable::Common),
            ("sunshinedragon99", Predictable::Common),
            ("MonkeyMonkey2025", Predictable::Common),
            ("letmeinletmeinletmein", Predictable::Repeated),
            ("abcabcabcabcabcabc", Predictable::Repeated),
            ("abababababababab", Predictable::Repeated),
            ("xK3#9pQ!xK3#9pQ!", Predictable::Repeated),
            ("xK3#9pQxK3#9pQ!", Predictable::Repeated),
            ("1111111111111111", Predictable::Repeated),
            ("123456789012345", Predictable::Sequence),
            ("abcdefghijklmnopqrst", Predictable::Sequence),
            ("zyxwvutsrqponmlk", Predictable::Sequence),
            ("1qaz2wsx3edc4rfv", Predictable::Sequence),
            ("qwertyuiop123456", Predictable::Sequence),
            ("asdfghjklzxcvbnm", Predictable::Sequence),
            ("jane.doe42jane.doe42", Predictable::Repeated),
            ("JaneDoe42-2026!!", Predictable::Context),
            ("acmewidgets-2026", Predictable::Context),
            ("acme.widgets.password", Predictable::Context),
            ("jane.doe42@acme-widgets.example", Predictable::Context),
            ("ｐａｓｓｗｏｒｄ１２３４５６７８", Predictable::Common),
        ] {
            assert_eq!(judge(password, &context()), Some(reason), "{password}");
        }
    }

    #[test]
    fn others_pass_whatever_they_are_made_of() {
        for password in [
            "vq8#Lm2!xT9$wz4p",
            "seven green turtles were knitting quietly",
            "the quick onyx goblin jumps over a lazy dwarf",
            "lower case letters only please",
            "8301947265103948572",
            "žluťoučký kůň úpěl",
            "私の猫は毎朝六時に起きて窓の外を見る",
            "janet likes plums and pears",
        ] {
            assert_eq!(judge(password, &context()), None, "{password}");
        }
    }

    #[test]
    fn a_long_piece_may_be_repeated() {
        let piece = "vq8#Lm2!xT9$wz4p";
        assert_eq!(judge(&piece.repeat(2), &Context::default()), None);
    }

    #[test]
    fn a_kilobyte_is_judged_too() {
        let password: String = (0..256_u32).map(|n| char::from_u32(0x4e00 + n * 7).unwrap()).collect();
        assert_eq!(judge(&password, &context()), None);
        assert_eq!(judge(&"0".repeat(1024), &context()), Some(Predictable::Repeated));
    }

    proptest! {
        #[test]
        fn judging_never_panics(text in "\\PC{0,100}", service in "\\PC{0,20}") {
            let context = Context::new(&Email::parse("a.b@c.de").unwrap(), &service);
            let _ = judge(&text, &context);
        }

        #[test]
        fn case_changes_nothing(text in "[a-z]{15,30}") {
            prop_assert_eq!(judge(&text, &context()), judge(&text.to_uppercase(), &context()));
        }

        #[test]
        fn any_piece_of_up_to_seven_repeated_is_refused(piece in "[a-zA-Z0-9#!]{1,7}", times in 3_usize..20) {
            prop_assume!(piece.chars().count() * times >= 15);
            prop_assert!(judge(&piece.repeat(times), &Context::default()).is_some());
        }

        #[test]
        fn random_passwords_pass(text in "[a-z0-9A-Z]{20,40}") {
            // Twenty random characters have never fewer than four pieces, short of a miracle.
            prop_assert_eq!(judge(&text, &Context::default()), None);
        }
    }
}
