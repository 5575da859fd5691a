//! The secrets that the server really holds, and every spelling in which one may lie in a file: as it is, in base64 at
//! three alignments, in hexadecimal digits, percent-encoded. There is no allowlist for these.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretSlice};

/// One that the server holds.
#[derive(Clone)]
pub struct LiveSecret {
    /// What it is, as it is configured: `store.key`.
    pub name: String,
    /// Its bytes.
    pub value: SecretSlice<u8>,
}

impl LiveSecret {
    pub(crate) fn is_long_enough(&self) -> bool {
        self.value.expose_secret().len() >= SHORTEST
    }
}

impl std::fmt::Debug for LiveSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveSecret").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A shorter one is found by chance everywhere.
pub(crate) const SHORTEST: usize = 8;

/// All of them, ready to be looked for.
pub(crate) struct Live {
    spellings: AhoCorasick,
    /// Of each spelling the secret's number.
    of: Vec<usize>,
    names: Vec<String>,
    /// Those that are too short.
    pub(crate) too_short: Vec<String>,
}

impl Live {
    /// None: they could not be made ready.
    pub(crate) fn new(secrets: &[LiveSecret]) -> Option<Self> {
        let (mut names, mut too_short) = (Vec::new(), Vec::new());
        let (mut needles, mut of) = (Vec::new(), Vec::new());
        for secret in secrets {
            let value = secret.value.expose_secret();
            if value.len() < SHORTEST {
                too_short.push(secret.name.clone());
                continue;
            }
            for spelling in spellings(value) {
                needles.push(spelling);
                of.push(names.len());
            }
            names.push(secret.name.clone());
        }
        let spellings = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&needles).ok()?;
        Some(Self { spellings, of, names, too_short })
    }

    /// Where one of them lies, each place once.
    pub(crate) fn find(&self, text: &[u8]) -> impl Iterator<Item = (Range<usize>, &str)> {
        let mut last: Option<(usize, usize)> = None;
        self.spellings.find_overlapping_iter(text).filter_map(move |found| {
            let secret = self.of[found.pattern().as_usize()];
            // One place may be several spellings of one secret: raw and percent-encoded.
            let again = last.is_some_and(|(of, end)| of == secret && found.start() < end);
            last = Some((secret, found.end()));
            (!again).then(|| (found.range(), self.names[secret].as_str()))
        })
    }
}

/// Every way to write it. What base64 makes of the neighbours is left out at both ends.
fn spellings(value: &[u8]) -> Vec<Vec<u8>> {
    let mut spellings = vec![value.to_vec()];
    for shift in 0..3 {
        let mut shifted = vec![0; shift];
        shifted.extend_from_slice(value);
        // Six bits a digit: those that begin in the padding, and the last one if it ends in a neighbour.
        let first = (shift * 8).div_ceil(6);
        let last = shifted.len() * 8 / 6;
        for encoded in [STANDARD_NO_PAD.encode(&shifted), URL_SAFE_NO_PAD.encode(&shifted)] {
            spellings.push(encoded.as_bytes()[first..last].to_vec());
        }
    }
    let hex = |digits: &[u8; 16]| -> Vec<u8> {
        value
            .iter()
            .flat_map(|byte| [digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]])
            .collect()
    };
    spellings.push(hex(b"0123456789abcdef"));
    spellings.push(hex(b"0123456789ABCDEF"));
    let percent = |digits: &[u8; 16], plain: fn(u8) -> bool| -> Vec<u8> {
        let mut text = Vec::new();
        for byte in value {
            if plain(*byte) {
                text.push(*byte);
            } else {
                text.extend([b'%', digits[usize::from(byte >> 4)], digits[usize::from(byte & 15)]]);
            }
        }
        text
    };
    let unreserved = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let component = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'-' | b'.' | b'_' | b'~' | b'!' | b'*' | b'\'' | b'(' | b')')
    };
    for plain in [unreserved as fn(u8) -> bool, component] {
        spellings.push(percent(b"0123456789ABCDEF", plain));
        spellings.push(percent(b"0123456789abcdef", plain));
    }
    spellings.sort();
    spellings.dedup();
    spellings
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn live(value: &[u8]) -> Live {
        Live::new(&[LiveSecret { name: "store.password".into(), value: value.to_vec().into() }]).unwrap()
    }

    #[test]
    fn every_spelling_is_found_at_every_alignment() {
        for secret in [
            &b"p@ss w\xc3\xb6rd/+=%"[..],
            b"0123456789abcdef0123456789abcde",
            &[0xfb; 32],
            &[7, 255, 0, 12, 9, 200, 31, 64],
        ] {
            let live = live(secret);
            for before in 0..7 {
                for after in 0..4 {
                    let mut text = vec![b'?'; before];
                    text.extend_from_slice(secret);
                    text.extend(vec![b'!'; after]);
                    for spelt in [
                        text.clone(),
                        STANDARD.encode(&text).into_bytes(),
                        URL_SAFE_NO_PAD.encode(&text).into_bytes(),
                        text.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into_bytes(),
                        text.iter().map(|byte| format!("{byte:02X}")).collect::<String>().into_bytes(),
                    ] {
                        assert_eq!(
                            live.find(&spelt).count(),
                            1,
                            "{before} {after} {}",
                            String::from_utf8_lossy(&spelt)
                        );
                    }
                }
            }
        }
        let encoded: String = url::form_urlencoded::byte_serialize(b"p@ss-w\xc3\xb6rd/+=%").collect();
        assert_eq!(live(b"p@ss-w\xc3\xb6rd/+=%").find(encoded.as_bytes()).count(), 1);
    }

    #[test]
    fn a_short_one_is_named_and_not_looked_for() {
        let short = live(b"postgre");
        assert_eq!((short.names.len(), short.too_short.len()), (0, 1));
        assert_eq!(short.find(b"postgres postgre").count(), 0);
        assert!(
            !format!("{:?}", LiveSecret { name: "n".into(), value: b"hidden".to_vec().into() })
                .contains("hid")
        );
    }
}
