//! What bytes look like: how random, how much like words, whether a checksum is right. Pure.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Padded or not: who copies a token is not asked.
const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::Indifferent)
    .with_decode_allow_trailing_bits(true);
const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);

/// The pairs of letters that make up most of English text and of names in programs.
const COMMON_PAIRS: &[u8] = b"thheineranreonatenndtiesorteofedisitalarsttontngsehaasouiolevecomedehiriroicneearacelichllbemasiomurcaeltalansdifohopeecprnoctusacotiltrlyncetutsssorsunlowageiewheewiemadolrtpowenaulnitsmoowpaimmiaishirsuidosiviaamficikeeyckqu";

/// Shannon's entropy of the bytes, in bits per byte.
pub(crate) fn entropy(bytes: &[u8]) -> f32 {
    let mut counts = [0_u32; 256];
    for byte in bytes {
        counts[usize::from(*byte)] += 1;
    }
    let total = bytes.len() as f32;
    counts
        .iter()
        .filter(|count| **count > 0)
        .map(|count| {
            let share = *count as f32 / total;
            -share * share.log2()
        })
        .sum()
}

/// How much of it are words: the share of common pairs among neighbouring letters; 1 for pure words, about a quarter for
/// what was drawn at random.
pub(crate) fn wordiness(bytes: &[u8]) -> f32 {
    let (mut pairs, mut common) = (0_u32, 0_u32);
    for pair in bytes.windows(2) {
        if !pair.iter().all(u8::is_ascii_alphabetic) {
            continue;
        }
        // A word's borders: `camelCase` is two words, `aB` at random is most often none.
        if pair[0].is_ascii_lowercase() && pair[1].is_ascii_uppercase() {
            continue;
        }
        pairs += 1;
        let lower = [pair[0].to_ascii_lowercase(), pair[1].to_ascii_lowercase()];
        common += u32::from(COMMON_PAIRS.chunks_exact(2).any(|known| known == lower));
    }
    if pairs == 0 { 0.0 } else { common as f32 / pairs as f32 }
}

pub(crate) fn is_hex(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(u8::is_ascii_hexdigit)
}

/// `8-4-4-4-12` hexadecimal digits.
pub(crate) fn is_uuid(bytes: &[u8]) -> bool {
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

pub(crate) fn contains(hay: &[u8], needle: &[u8]) -> bool {
    !needle.is_empty() && hay.windows(needle.len()).any(|window| window == needle)
}

/// Kinds of characters: lower case, upper case, digits, all else.
pub(crate) fn kinds(bytes: &[u8]) -> usize {
    let any = |kind: fn(&u8) -> bool| usize::from(bytes.iter().any(kind));
    any(u8::is_ascii_lowercase)
        + any(u8::is_ascii_uppercase)
        + any(u8::is_ascii_digit)
        + any(|byte| !byte.is_ascii_alphanumeric())
}

/// Whether it was most likely drawn by a machine: long enough, varied, and no words.
pub(crate) fn looks_random(bytes: &[u8]) -> bool {
    let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    if letters == 0 || bytes.len() < 12 {
        return false;
    }
    if is_hex(bytes) {
        return bytes.len() >= 24 && digits >= 3 && entropy(bytes) >= 2.9;
    }
    // In 20 random characters of base64 there are three digits as a rule; words have them at the end, as a version.
    let inner = bytes.trim_ascii_end();
    let mixed = digits >= 2 && digits_inside(inner);
    let wild = kinds(bytes) >= 2 && letters >= 16;
    let floor = match bytes.len() {
        ..16 => 3.0,
        16..24 => 3.3,
        24..32 => 3.5,
        _ => 3.7,
    };
    if entropy(bytes) < floor || words_joined(bytes) {
        return false;
    }
    let words = wordiness(bytes);
    (mixed && words < 0.62) || (wild && words < 0.40)
}

/// A digit with a letter behind it: `a1b2`, not `version2`.
fn digits_inside(bytes: &[u8]) -> bool {
    bytes.windows(2).filter(|pair| pair[0].is_ascii_digit() && pair[1].is_ascii_alphabetic()).count() >= 1
}

/// `my-service-2024`, `read:orders`, `SomeName.other_name`: pieces that are words or short numbers.
fn words_joined(bytes: &[u8]) -> bool {
    let pieces: Vec<&[u8]> = bytes
        .split(|byte| matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b' ' | b'@' | b'+' | b'='))
        .filter(|piece| !piece.is_empty())
        .collect();
    let plain = |piece: &&[u8]| {
        let letters = piece.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
        let digits = piece.len() - letters;
        (digits == piece.len() && digits <= 4)
            || (digits <= 2 && letters > 0 && (letters <= 3 || wordiness(piece) >= 0.45))
    };
    pieces.len() >= 2 && pieces.iter().filter(|piece| plain(piece)).count() * 4 >= pieces.len() * 3
}

/// The same thing over and over, or what a keyboard offers in order: nobody's secret.
pub(crate) fn monotonous(bytes: &[u8]) -> bool {
    let distinct = bytes.iter().collect::<std::collections::BTreeSet<_>>().len();
    if bytes.len() >= 8 && distinct <= 3 || bytes.len() >= 20 && distinct <= 5 {
        return true;
    }
    let lower = bytes.to_ascii_lowercase();
    let runs =
        lower.windows(2).filter(|pair| pair[1] == pair[0].wrapping_add(1) || pair[1] == pair[0]).count();
    (lower.len() >= 4 && runs * 3 >= lower.len() * 2)
        || ["0123456789", "1234567890", "abcdefghij", "abcdef0123", "qwertyuiop", "deadbeef"]
            .iter()
            .any(|run| contains(&lower, run.as_bytes()))
}

/// Three parts, the first a JSON object that names an algorithm other than none.
pub(crate) fn is_signed_token(bytes: &[u8]) -> bool {
    let mut parts = bytes.split(|byte| *byte == b'.');
    let (Some(header), Some(payload)) = (parts.next(), parts.next()) else { return false };
    let object = |part: &[u8]| -> Option<serde_json::Map<String, serde_json::Value>> {
        serde_json::from_slice(&URL_SAFE.decode(part).ok()?).ok()
    };
    let Some(header) = object(header) else { return false };
    object(payload).is_some()
        && header.get("alg").and_then(|alg| alg.as_str()).is_some_and(|alg| !alg.eq_ignore_ascii_case("none"))
}

/// Base64 of `name:password`, the password no sample.
pub(crate) fn decodes_to_a_pair(bytes: &[u8]) -> bool {
    let Ok(decoded) = STANDARD.decode(bytes) else { return false };
    let printable = decoded.iter().all(|byte| (0x20..0x7f).contains(byte));
    let Some(colon) = decoded.iter().position(|byte| *byte == b':') else { return false };
    let (name, password) = (&decoded[..colon], &decoded[colon + 1..]);
    printable && colon > 0 && password.len() >= 6 && password != name && !super::named::is_sample(password)
}

/// Whether the last six characters of a key of Portcullis's own are the CRC-32 of what stands before them in base 62.
pub(crate) fn sum_is_right(key: &[u8]) -> bool {
    let Some(last) = key.iter().rposition(|byte| *byte == b'_') else { return false };
    let (body, sum) = (&key[..last], &key[last + 1..]);
    let mut value: u64 = 0;
    for byte in sum {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'A'..=b'Z' => byte - b'A' + 10,
            b'a'..=b'z' => byte - b'a' + 36,
            _ => return false,
        };
        value = value * 62 + u64::from(digit);
    }
    sum.len() == 6 && value == u64::from(crc32(body))
}

/// CRC-32 as IEEE 802.3 has it, bit by bit: keys are short.
fn crc32(bytes: &[u8]) -> u32 {
    let mut rest = u32::MAX;
    for byte in bytes {
        rest ^= u32::from(*byte);
        for _ in 0..8 {
            rest = if rest & 1 == 1 { (rest >> 1) ^ 0xEDB8_8320 } else { rest >> 1 };
        }
    }
    !rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_random_and_what_is_words() {
        for random in [
            "kJ8v2Lq9XzT4mNp7Rb1Yw6Ds", // portcullis:allow drawn for this table
            "9f86d081884c7d659a2feaa0c55ad015",
            "q3Zt8-Vb_N2xLk7pWc5RyHs0",
        ] {
            assert!(looks_random(random.as_bytes()), "{random}");
        }
        for words in [
            "my-database-secret-name",
            "getAccessTokenFromRequest",
            "com.example.auth.TokenProvider",
            "read:orders-v2",
            "SECRET_KEY_OF_THE_STORE_2024",
            "short1",
            "application/x-www-form-urlencoded",
            "aaaaaaaaaaaaaaaaaaaaaaaa",
            "00000000000000000000000000000000",
            "resetPasswordTokenLifetimeInMinutes",
        ] {
            assert!(!looks_random(words.as_bytes()), "{words} {}", wordiness(words.as_bytes()));
        }
    }

    #[test]
    fn monotony() {
        for same in
            ["xxxxxxxxxxxxxxxx", "0123456789abcdef0123456789abcdef", "abcdefghijklmnop", "11111111-1111"]
        {
            assert!(monotonous(same.as_bytes()), "{same}");
        }
        assert!(!monotonous(b"9f86d081884c7d659a2feaa0c55ad015"));
    }

    #[test]
    fn a_key_of_ours_has_the_right_sum_and_a_mistyped_one_has_not() {
        // The vectors of the room that makes them.
        for (body, sum) in [
            ("pcl_prod_000000000000000000000000000000", "2vwiJe"),
            ("pcl_dev_zzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "3VIQTg"),
            ("pcl_staging_0123456789ABCDEFGHIJabcdefghij", "0iFt5r"),
        ] {
            assert!(sum_is_right(format!("{body}_{sum}").as_bytes()), "{body}");
            assert!(!sum_is_right(format!("{body}_000000").as_bytes()), "{body}");
        }
    }

    #[test]
    fn pairs_and_tokens_are_decoded() {
        assert!(decodes_to_a_pair(STANDARD.encode("ada:Vb3x!kQ9").as_bytes()));
        for no in ["ada", "ada:password", ":abc", "ada:ada"] {
            assert!(!decodes_to_a_pair(STANDARD.encode(no).as_bytes()), "{no}");
        }
        let token = |header: &str| {
            format!(
                "{}.{}.c2lnbmF0dXJlc2lnbmF0dXJl",
                URL_SAFE.encode(header),
                URL_SAFE.encode("{\"sub\":\"7\"}")
            )
        };
        assert!(is_signed_token(token("{\"alg\":\"RS256\"}").replace('=', "").as_bytes()));
        assert!(!is_signed_token(token("{\"alg\":\"none\"}").replace('=', "").as_bytes()));
        assert!(!is_signed_token(b"eyJxxx.eyJyyy.zzz"));
    }
}
