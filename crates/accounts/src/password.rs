//! Passwords: what is accepted, how it is hashed, how a stored hash is judged.
//!
//! NIST SP 800-63B-4 section 3.1.1 (length in code points, no composition rules, NFC, a blocklist, the whole password verified) and OWASP's
//! Password Storage Cheat Sheet (Argon2id and its floor of parameters).

use std::fmt;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroize;

use crate::blocklist::{self, Predictable};
use crate::user::Email;

/// Bytes of a salt that we make.
pub const SALT_LENGTH: usize = 16;
/// Bytes of a hash that we make.
const OUTPUT_LENGTH: usize = 32;
/// OWASP's floor: each pair of memory (KiB) and iterations costs an attacker the same.
const FLOOR: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

/// Most memory in KiB that a stored hash may ask for (256 MiB): a row must not be able to take the server's memory.
const MAXIMUM_MEMORY: u32 = 256 * 1024;
/// Most iterations that a stored hash may ask for.
const MAXIMUM_ITERATIONS: u32 = 64;
/// Most lanes that a stored hash may ask for.
const MAXIMUM_PARALLELISM: u32 = 16;
/// Most work that a stored hash may ask for, in KiB times iterations: some three seconds on one core.
const MAXIMUM_WORK: u64 = 2 * 1024 * 1024;
/// Longest PHC string that is looked at, in bytes.
const MAXIMUM_PHC: usize = 512;

/// What a new password must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Shortest password, in Unicode code points after NFC. 15 where it is the only factor.
    pub minimum_length: usize,
    /// Longest password, in bytes of UTF-8 as it arrives. Longer ones are refused, never cut.
    pub maximum_bytes: usize,
    /// How new passwords are hashed, and below which old hashes are renewed.
    pub argon2: Parameters,
}

impl Default for Policy {
    fn default() -> Self {
        Self { minimum_length: 15, maximum_bytes: 1024, argon2: Parameters::default() }
    }
}

/// Argon2id's cost, at OWASP's floor or above: no other can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameters {
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
}

/// Parameters that no password should be hashed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ParametersError {
    /// Cheaper than every row of OWASP's table.
    #[error(
        "argon2id with {memory_kib} KiB and {iterations} iterations is below OWASP's floor; \
         use at least 19456 KiB with 2, 12288 with 3, 9216 with 4, 7168 with 5, or 47104 with 1"
    )]
    BelowFloor {
        /// Memory that was asked for, in KiB.
        memory_kib: u32,
        /// Iterations that were asked for.
        iterations: u32,
    },
    /// Dearer than what a stored hash may ask for: such hashes could not be verified again.
    #[error(
        "argon2id with these parameters is too dear: at most 262144 KiB, 64 iterations, 16 lanes, and 2 GiB of work"
    )]
    AboveCap,
}

impl Default for Parameters {
    fn default() -> Self {
        Self { memory_kib: 19_456, iterations: 2, parallelism: 1 }
    }
}

impl Parameters {
    /// Takes a memory size in KiB, a number of passes over it, and a number of lanes.
    ///
    /// # Errors
    /// When they are below OWASP's floor or above what a stored hash may ask for.
    pub fn new(memory_kib: u32, iterations: u32, parallelism: u32) -> Result<Self, ParametersError> {
        if !within_caps(memory_kib, iterations, parallelism) {
            return Err(ParametersError::AboveCap);
        }
        if !FLOOR.iter().any(|(memory, passes)| memory_kib >= *memory && iterations >= *passes) {
            return Err(ParametersError::BelowFloor { memory_kib, iterations });
        }
        Ok(Self { memory_kib, iterations, parallelism })
    }

    /// Memory of one hash, in KiB.
    #[must_use]
    pub const fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// Passes over the memory.
    #[must_use]
    pub const fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Lanes.
    #[must_use]
    pub const fn parallelism(&self) -> u32 {
        self.parallelism
    }
}

fn within_caps(memory_kib: u32, iterations: u32, parallelism: u32) -> bool {
    (1..=MAXIMUM_PARALLELISM).contains(&parallelism)
        && (1..=MAXIMUM_ITERATIONS).contains(&iterations)
        && (8 * parallelism..=MAXIMUM_MEMORY).contains(&memory_kib)
        && u64::from(memory_kib) * u64::from(iterations) <= MAXIMUM_WORK
}

/// Why a new password is refused. The texts are for the person who chose it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PasswordRejection {
    /// Fewer code points than the policy wants.
    #[error("the password has {found} characters; use at least {minimum}")]
    TooShort {
        /// Code points that are wanted.
        minimum: usize,
        /// Code points that there are.
        found: usize,
    },
    /// More bytes than the policy takes.
    #[error("the password is longer than {maximum_bytes} bytes")]
    TooLong {
        /// Bytes that are taken.
        maximum_bytes: usize,
    },
    /// One of the passwords that are tried first, or made of few of them.
    #[error("the password is a common one, or made of a few common words; choose another")]
    Common,
    /// Mostly the user's address or the service's name.
    #[error("the password is mostly your e-mail address or the name of this service; choose another")]
    Context,
    /// A short piece said again and again.
    #[error("the password repeats itself; choose another")]
    Repeated,
    /// Keys beside each other, or letters and digits in order.
    #[error("the password follows the keyboard or the alphabet; choose another")]
    Sequence,
}

impl From<Predictable> for PasswordRejection {
    fn from(reason: Predictable) -> Self {
        match reason {
            Predictable::Common => Self::Common,
            Predictable::Context => Self::Context,
            Predictable::Repeated => Self::Repeated,
            Predictable::Sequence => Self::Sequence,
        }
    }
}

/// Unicode Normalization Form C: the same password typed on another keyboard is the same bytes.
/// Nothing is trimmed, folded or cut.
#[must_use]
pub fn normalise(password: &str) -> SecretString {
    // Reserved up front, so that no half-written copy is left behind by growing.
    let mut normal = String::with_capacity(password.len() * 3);
    normal.extend(password.nfc());
    let secret = SecretString::from(normal.as_str());
    normal.zeroize();
    secret
}

/// Normalises a password that was presented at login.
///
/// # Errors
/// Only [`PasswordRejection::TooLong`]: a password chosen under an older policy still logs in.
pub fn presented(policy: &Policy, password: &str) -> Result<SecretString, PasswordRejection> {
    if password.len() > policy.maximum_bytes {
        return Err(PasswordRejection::TooLong { maximum_bytes: policy.maximum_bytes });
    }
    Ok(normalise(password))
}

/// Judges a new password: at sign-up, change, reset, and when an administrator sets one.
///
/// # Errors
/// The first rule that it breaks.
pub fn check_new(
    policy: &Policy,
    password: &str,
    email: &Email,
    service_name: &str,
) -> Result<(), PasswordRejection> {
    let normal = presented(policy, password)?;
    let found = normal.expose_secret().chars().count();
    if found < policy.minimum_length {
        return Err(PasswordRejection::TooShort { minimum: policy.minimum_length, found });
    }
    let context = blocklist::Context::new(email, service_name);
    match blocklist::judge(normal.expose_secret(), &context) {
        Some(reason) => Err(reason.into()),
        None => Ok(()),
    }
}

/// The working memory of Argon2, kept between hashes: fresh memory costs up to three times the hash.
///
/// Keep one a thread, [`wipe`](Self::wipe) it when the thread has nothing to do, [`release`](Self::release) it when that lasts.
#[derive(Default)]
pub struct Memory {
    blocks: Vec<Block>,
}

impl Memory {
    /// Memory that grows at the first hash.
    #[must_use]
    pub const fn new() -> Self {
        Self { blocks: Vec::new() }
    }

    /// Overwrites what the last hash left and keeps the memory.
    pub fn wipe(&mut self) {
        self.blocks.iter_mut().for_each(Zeroize::zeroize);
    }

    /// Overwrites what the last hash left and gives the memory back.
    pub fn release(&mut self) {
        self.wipe();
        self.blocks = Vec::new();
    }

    /// Bytes that are held.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        self.blocks.capacity() * Block::SIZE
    }

    fn at_least(&mut self, blocks: usize) -> Result<&mut [Block], HashError> {
        if self.blocks.len() < blocks {
            // Growing would copy the old contents about: wipe, then begin anew.
            self.release();
            self.blocks.try_reserve_exact(blocks).map_err(|_| HashError::OutOfMemory)?;
            self.blocks.resize(blocks, Block::new());
        }
        Ok(&mut self.blocks)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.wipe();
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("bytes", &self.bytes()).finish()
    }
}

/// A hash that could not be made or read. Never holds the hash itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// The stored text is no PHC string of Argon2id version 19.
    #[error("the stored password hash is no argon2id PHC string")]
    Unreadable,
    /// The stored text asks for more memory, passes or lanes than is ever given.
    #[error("the stored password hash asks for more work than is allowed")]
    TooDear,
    /// The system gave no memory.
    #[error("no memory for hashing")]
    OutOfMemory,
    /// The library refused; its inputs are checked before, so this is a fault of ours.
    #[error("argon2 refused its input: {0}")]
    Library(String),
}

/// Hashes a normalised password with a fresh salt.
///
/// Returns a PHC string: `$argon2id$v=19$m=…,t=…,p=…$salt$hash`.
///
/// # Errors
/// When no memory can be had.
pub fn hash(
    parameters: &Parameters,
    password: &[u8],
    salt: [u8; SALT_LENGTH],
    memory: &mut Memory,
) -> Result<String, HashError> {
    let Parameters { memory_kib, iterations, parallelism } = *parameters;
    let mut stored =
        Stored { memory_kib, iterations, parallelism, salt: salt.to_vec(), output: vec![0; OUTPUT_LENGTH] };
    stored.output = stored.compute(password, memory)?;
    Ok(stored.to_phc())
}

/// What comparing a password with a stored hash showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verification {
    /// It is the password.
    pub matches: bool,
    /// The hash is cheaper than today's policy: hash the password again, now that it is known.
    pub needs_rehash: bool,
}

/// Compares a normalised password with a stored hash, in constant time at the end; the whole password counts.
///
/// # Errors
/// When the stored text is no hash of ours, asks for absurd work, or no memory can be had. A wrong password is no error.
pub fn verify(
    current: &Parameters,
    phc: &str,
    password: &[u8],
    memory: &mut Memory,
) -> Result<Verification, HashError> {
    let stored = Stored::parse(phc)?;
    let mut computed = stored.compute(password, memory)?;
    let matches = verify_slices_are_equal(&computed, &stored.output).is_ok();
    computed.zeroize();
    Ok(Verification { matches, needs_rehash: stored.is_below(current) })
}

/// Whether a stored hash is cheaper than `current`, without hashing anything: the auditor's and `doctor`'s question.
///
/// # Errors
/// When the text is no hash of ours.
pub fn needs_rehash(current: &Parameters, phc: &str) -> Result<bool, HashError> {
    Ok(Stored::parse(phc)?.is_below(current))
}

/// A hash that no password has, at today's cost: an unknown user's login verifies against it, so it takes as long as a known one's.
#[must_use]
pub fn dummy_phc(parameters: &Parameters) -> String {
    let Parameters { memory_kib, iterations, parallelism } = *parameters;
    // Finding a password for the all-zero output is finding a preimage of 256 bits.
    let (salt, output) = (b"portcullis dummy".to_vec(), vec![0; OUTPUT_LENGTH]);
    Stored { memory_kib, iterations, parallelism, salt, output }.to_phc()
}

/// A PHC string, taken apart.
struct Stored {
    memory_kib: u32,
    iterations: u32,
    parallelism: u32,
    salt: Vec<u8>,
    output: Vec<u8>,
}

impl Stored {
    /// Reads `$argon2id$v=19$m=…,t=…,p=…$salt$hash`, strictly: this order, decimal numbers without leading zeros, unpadded base64.
    fn parse(phc: &str) -> Result<Self, HashError> {
        if phc.len() > MAXIMUM_PHC {
            return Err(HashError::Unreadable);
        }
        let fields: Vec<&str> = phc.split('$').collect();
        let ["", "argon2id", "v=19", costs, salt, output] = fields.as_slice() else {
            return Err(HashError::Unreadable);
        };
        let costs: Vec<&str> = costs.split(',').collect();
        let [memory, iterations, parallelism] = costs.as_slice() else {
            return Err(HashError::Unreadable);
        };
        let memory_kib = number(memory, "m=")?;
        let iterations = number(iterations, "t=")?;
        let parallelism = number(parallelism, "p=")?;
        if !within_caps(memory_kib, iterations, parallelism) {
            return Err(HashError::TooDear);
        }
        let salt = STANDARD_NO_PAD.decode(salt).map_err(|_| HashError::Unreadable)?;
        let output = STANDARD_NO_PAD.decode(output).map_err(|_| HashError::Unreadable)?;
        if !(8..=64).contains(&salt.len()) || !(16..=64).contains(&output.len()) {
            return Err(HashError::Unreadable);
        }
        Ok(Self { memory_kib, iterations, parallelism, salt, output })
    }

    fn to_phc(&self) -> String {
        let (memory, iterations, parallelism) = (self.memory_kib, self.iterations, self.parallelism);
        let (salt, output) = (STANDARD_NO_PAD.encode(&self.salt), STANDARD_NO_PAD.encode(&self.output));
        format!("$argon2id$v=19$m={memory},t={iterations},p={parallelism}${salt}${output}")
    }

    fn compute(&self, password: &[u8], memory: &mut Memory) -> Result<Vec<u8>, HashError> {
        let library = |error: argon2::Error| HashError::Library(error.to_string());
        let params = Params::new(self.memory_kib, self.iterations, self.parallelism, Some(self.output.len()))
            .map_err(library)?;
        let blocks = memory.at_least(params.block_count())?;
        let mut output = vec![0; self.output.len()];
        Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
            .hash_password_into_with_memory(password, &self.salt, &mut output, blocks)
            .map_err(library)?;
        Ok(output)
    }

    fn is_below(&self, current: &Parameters) -> bool {
        self.memory_kib < current.memory_kib
            || self.iterations < current.iterations
            || self.salt.len() < SALT_LENGTH
            || self.output.len() < OUTPUT_LENGTH
    }
}

fn number(text: &str, prefix: &str) -> Result<u32, HashError> {
    let digits = text.strip_prefix(prefix).ok_or(HashError::Unreadable)?;
    let proper =
        !digits.is_empty() && !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    if !proper {
        return Err(HashError::Unreadable);
    }
    // Only digits are left, so what does not fit is simply too much.
    digits.parse().map_err(|_| HashError::TooDear)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SALT: [u8; 16] = *b"0123456789abcdef";

    fn email() -> Email {
        Email::parse("alice.wonder@example.com").unwrap()
    }

    fn hashed(password: &str) -> String {
        hash(&Parameters::default(), password.as_bytes(), SALT, &mut Memory::new()).unwrap()
    }

    fn matches(phc: &str, password: &str) -> bool {
        verify(&Parameters::default(), phc, password.as_bytes(), &mut Memory::new()).unwrap().matches
    }

    #[test]
    fn owasp_floor_and_its_equals_are_the_least() {
        for (memory, iterations, fine) in [
            (19_456, 2, true),
            (47_104, 1, true),
            (12_288, 3, true),
            (9_216, 4, true),
            (7_168, 5, true),
            (65_536, 3, true),
            (19_455, 2, false),
            (47_103, 1, false),
            (12_287, 3, false),
            (9_215, 4, false),
            (7_167, 5, false),
            (1_024, 10, false),
        ] {
            let made = Parameters::new(memory, iterations, 1);
            assert_eq!(made.is_ok(), fine, "{memory} {iterations}");
        }
        assert_eq!(Parameters::new(4 * 1024 * 1024, 1, 1), Err(ParametersError::AboveCap));
        assert_eq!(Parameters::new(19_456, 2, 0), Err(ParametersError::AboveCap));
        assert_eq!(Parameters::new(19_456, 2, u32::MAX), Err(ParametersError::AboveCap));
    }

    /// Computed with the reference implementation's command line (`argon2`, Debian): a known answer, so that
    /// our wiring of salt, parameters and output is Argon2id's and not merely consistent with itself.
    #[test]
    fn a_phc_string_has_the_standard_form() {
        let phc = hashed("correct horse");
        assert!(phc.starts_with("$argon2id$v=19$m=19456,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$"), "{phc}");
        assert_eq!(phc.rsplit('$').next().map(str::len), Some(43));
    }

    #[test]
    fn reused_memory_gives_the_same_hash_as_fresh_memory() {
        let mut memory = Memory::new();
        let larger = Parameters::new(20_000, 2, 1).unwrap();
        hash(&larger, b"something else", SALT, &mut memory).unwrap();
        let reused = hash(&Parameters::default(), b"password of a user", SALT, &mut memory).unwrap();
        assert_eq!(reused, hashed("password of a user"));
        assert!(memory.bytes() >= 20_000 * 1024);
        memory.release();
        assert_eq!(memory.bytes(), 0);
    }

    #[test]
    fn wiping_leaves_nothing_of_the_password() {
        let mut memory = Memory::new();
        hash(&Parameters::default(), b"password of a user", SALT, &mut memory).unwrap();
        memory.wipe();
        assert!(memory.blocks.iter().all(|block| block.as_ref().iter().all(|word| *word == 0)));
    }

    #[test]
    fn the_whole_password_is_verified() {
        let long = "x".repeat(72);
        for (right, wrong) in [
            (format!("{long}a"), format!("{long}b")),
            ("before\0after-the-nul".to_owned(), "before\0another-thing".to_owned()),
            ("Case Matters Here".to_owned(), "case matters here".to_owned()),
            (" spaces count too ".to_owned(), "spaces count too".to_owned()),
        ] {
            let phc = hashed(&right);
            assert!(matches(&phc, &right));
            assert!(!matches(&phc, &wrong));
        }
    }

    #[test]
    fn composed_and_decomposed_text_is_one_password() {
        assert_eq!(normalise("Cafe\u{301}").expose_secret(), normalise("Caf\u{e9}").expose_secret());
        // NFC, not NFKC: full-width letters stay what was typed.
        assert_ne!(normalise("\u{ff21}").expose_secret(), normalise("A").expose_secret());
    }

    #[test]
    fn an_older_and_cheaper_hash_is_renewed_and_a_dearer_one_kept() {
        let current = Parameters::new(19_456, 3, 1).unwrap();
        let old = hashed("the same password");
        let mut memory = Memory::new();
        let found = verify(&current, &old, b"the same password", &mut memory).unwrap();
        assert_eq!(found, Verification { matches: true, needs_rehash: true });
        assert!(!needs_rehash(&Parameters::default(), &old).unwrap());
        let dear = hash(&current, b"x", SALT, &mut memory).unwrap();
        assert!(!needs_rehash(&Parameters::default(), &dear).unwrap());
    }

    #[test]
    fn a_stored_row_cannot_ask_for_the_servers_memory() {
        let tail = "MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for costs in [
            "m=4194304,t=1,p=1",
            "m=19456,t=4000,p=1",
            "m=19456,t=2,p=255",
            "m=262144,t=64,p=1",
            "m=99999999999,t=1,p=1",
        ] {
            let phc = format!("$argon2id$v=19${costs}${tail}");
            assert_eq!(
                verify(&Parameters::default(), &phc, b"x", &mut Memory::new()),
                Err(HashError::TooDear),
                "{costs}"
            );
        }
    }

    #[test]
    fn what_is_no_argon2id_hash_is_unreadable() {
        let tail = "MDEyMzQ1Njc4OWFiY2RlZg$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for phc in [
            "".to_owned(),
            "5f4dcc3b5aa765d61d8327deb882cf99".to_owned(),
            "$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234".to_owned(),
            format!("$argon2i$v=19$m=19456,t=2,p=1${tail}"),
            format!("$argon2id$v=16$m=19456,t=2,p=1${tail}"),
            format!("$argon2id$v=19$t=2,m=19456,p=1${tail}"),
            format!("$argon2id$v=19$m=019456,t=2,p=1${tail}"),
            format!("$argon2id$v=19$m=+19456,t=2,p=1${tail}"),
            format!("$argon2id$v=19$m=19456,t=2,p=1,keyid=a${tail}"),
            format!("$argon2id$v=19$m=19456,t=2,p=1${tail}="),
            format!("$argon2id$v=19$m=19456,t=2,p=1${tail}$"),
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$AAAAAAAAAAAAAAAAAAAAAA".to_owned(),
        ] {
            assert_eq!(needs_rehash(&Parameters::default(), &phc), Err(HashError::Unreadable), "{phc}");
        }
    }

    #[test]
    fn the_dummy_costs_the_same_and_matches_nothing() {
        let parameters = Parameters::default();
        let dummy = dummy_phc(&parameters);
        let found = verify(&parameters, &dummy, b"portcullis dummy", &mut Memory::new()).unwrap();
        assert_eq!(found, Verification { matches: false, needs_rehash: false });
        let cost = |phc: &str| phc.split('$').nth(3).map(str::to_owned);
        assert_eq!(cost(&dummy), cost(&hashed("x")));
        assert_eq!(dummy.len(), hashed("x").len());
    }

    #[test]
    fn new_passwords_are_judged_by_length_in_code_points() {
        let policy = Policy::default();
        let judge = |password: &str| check_new(&policy, password, &email(), "Portcullis");
        assert_eq!(judge("vq8#Lm2!xT9$wz"), Err(PasswordRejection::TooShort { minimum: 15, found: 14 }));
        assert_eq!(judge("vq8#Lm2!xT9$wz4"), Ok(()));
        // 15 code points, more bytes; and 14 code points once composed.
        assert_eq!(judge("žluťoučký kůň!?"), Ok(()));
        assert_eq!(
            judge("vq8#Lm2!xT9$we\u{301}"),
            Err(PasswordRejection::TooShort { minimum: 15, found: 14 })
        );
        assert_eq!(judge(&"vq8#".repeat(300)), Err(PasswordRejection::TooLong { maximum_bytes: 1024 }));
        assert_eq!(judge("all lower case words are quite fine here"), Ok(()));
    }

    #[test]
    fn new_passwords_are_judged_by_what_is_tried_first() {
        let policy = Policy::default();
        for (password, rejection) in [
            ("passwordpassword", PasswordRejection::Repeated),
            ("Password1234567!", PasswordRejection::Common),
            ("qwertyuiopasdfghjkl", PasswordRejection::Sequence),
            ("aaaaaaaaaaaaaaaaaaaa", PasswordRejection::Repeated),
            ("alice.wonder2026!", PasswordRejection::Context),
            ("Portcullis-Portcullis", PasswordRejection::Repeated),
            ("portcullis2026!", PasswordRejection::Context),
            ("correct horse battery staple", PasswordRejection::Common),
        ] {
            assert_eq!(check_new(&policy, password, &email(), "Portcullis"), Err(rejection), "{password}");
        }
    }

    proptest! {
        #[test]
        fn parsing_a_stored_hash_never_panics(text in "\\PC{0,200}") {
            let _ = needs_rehash(&Parameters::default(), &text);
        }

        #[test]
        fn parsing_near_misses_never_panics(m in any::<u64>(), t in any::<u64>(), p in any::<u64>(), salt in "[A-Za-z0-9+/=]{0,30}", out in "[A-Za-z0-9+/=]{0,60}") {
            let _ = needs_rehash(&Parameters::default(), &format!("$argon2id$v=19$m={m},t={t},p={p}${salt}${out}"));
        }

        #[test]
        fn normalising_twice_changes_nothing(text in "\\PC{0,60}") {
            let once = normalise(&text);
            prop_assert_eq!(normalise(once.expose_secret()).expose_secret(), once.expose_secret());
        }

        #[test]
        fn judging_never_panics(text in "\\PC{0,120}") {
            let _ = check_new(&Policy::default(), &text, &email(), "Portcullis");
        }
    }
}
