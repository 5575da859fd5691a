//! How often something may be tried: which buckets an attempt takes from, and how long to wait when one is empty.
//!
//! The rule is pure; the counting is one conditional upsert in the store, taken *before* a password is hashed, so a burst cannot
//! outrun it (NIST SP 800-63B-4 section 3.2.2, OWASP ASVS 6.3). A window is fixed: it starts at the first attempt and ends by itself, so a stranger
//! can slow an account's owner down but never lock the account for good.

use std::net::IpAddr;

use aws_lc_rs::digest::{SHA256, digest};

/// What becomes of a taken attempt when it succeeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnSuccess {
    /// The bucket is emptied: it counts *consecutive* failures of one account.
    Clear,
    /// Only this attempt is given back: success of one account must not wipe what was held against an address.
    GiveBack,
    /// The attempt stays counted.
    Keep,
}

/// A counter to take one attempt from. All buckets of an attempt must have room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Name of the counter: the kind, a colon, and 128 bits of SHA-256 in hexadecimal, so neither address nor e-mail is stored.
    pub key: String,
    /// Attempts in one window.
    pub limit: u32,
    /// Seconds that a window lasts.
    pub window: i64,
    /// What success does to it.
    pub on_success: OnSuccess,
}

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;

/// Attempts to log in. The account alone may fail 100 times in a row (NIST's cap), one address at one account 20 times, one address 200 times.
#[must_use]
pub fn login(account: &str, address: IpAddr) -> Vec<Bucket> {
    let network = network(address);
    vec![
        bucket("login-account-address", &[account, &network], 20, 15 * MINUTE, OnSuccess::Clear),
        bucket("login-account", &[account], 100, HOUR, OnSuccess::Clear),
        bucket("login-address", &[&network], 200, 15 * MINUTE, OnSuccess::GiveBack),
    ]
}

/// Requests for a reset mail: few an account, so nobody is flooded with mail, and more an address.
/// When the account's bucket is empty the answer stays the same and no mail goes out.
#[must_use]
pub fn password_reset(account: &str, address: IpAddr) -> Vec<Bucket> {
    vec![
        bucket("reset-account", &[account], 5, HOUR, OnSuccess::Keep),
        bucket("reset-address", &[&network(address)], 60, HOUR, OnSuccess::Keep),
    ]
}

/// Attempts to redeem a reset token. Guessing 256 bits is hopeless; the limit saves the hashing that a valid form costs.
#[must_use]
pub fn password_reset_redemption(address: IpAddr) -> Vec<Bucket> {
    vec![bucket("redeem-address", &[&network(address)], 60, 15 * MINUTE, OnSuccess::GiveBack)]
}

/// Sign-ups from one address, and mails to one account that is signed up again and again.
#[must_use]
pub fn sign_up(account: &str, address: IpAddr) -> Vec<Bucket> {
    vec![
        bucket("sign-up-account", &[account], 5, HOUR, OnSuccess::Keep),
        bucket("sign-up-address", &[&network(address)], 100, HOUR, OnSuccess::Keep),
    ]
}

/// Wrong client secrets, by client and address: a busy client that authenticates rightly is never slowed, nor by a stranger elsewhere.
#[must_use]
pub fn client_secret(client_id: &str, address: IpAddr) -> Vec<Bucket> {
    let network = network(address);
    vec![
        bucket("secret-client-address", &[client_id, &network], 100, 15 * MINUTE, OnSuccess::GiveBack),
        bucket("secret-address", &[&network], 1_000, 15 * MINUTE, OnSuccess::GiveBack),
    ]
}

/// Checks of the current password by somebody who is logged in.
#[must_use]
pub fn password_change(account: &str) -> Vec<Bucket> {
    vec![bucket("change-account", &[account], 20, 15 * MINUTE, OnSuccess::Clear)]
}

/// Changes to another address by somebody who is logged in: each tells whether that address is taken, so they are few, and
/// success gives none back.
#[must_use]
pub fn address_change(account: &str) -> Vec<Bucket> {
    vec![bucket("address-account", &[account], 5, 24 * HOUR, OnSuccess::Keep)]
}

/// Seconds until the window of an empty bucket ends: the value of `Retry-After`, at least one.
#[must_use]
pub fn retry_after(bucket: &Bucket, window_start: i64, now: i64) -> i64 {
    // A window that starts in the future (a clock was set back) must not tell anybody to wait longer than a window.
    window_start.saturating_add(bucket.window).saturating_sub(now).clamp(1, bucket.window.max(1))
}

/// The network that an address is counted as: itself in IPv4, its /64 in IPv6, where one customer has that many addresses.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

fn bucket(kind: &str, parts: &[&str], limit: u32, window: i64, on_success: OnSuccess) -> Bucket {
    let mut input = Vec::new();
    for part in std::iter::once(&kind).chain(parts) {
        // Lengths keep ("ab", "c") apart from ("a", "bc").
        input.extend_from_slice(&(part.len() as u64).to_be_bytes());
        input.extend_from_slice(part.as_bytes());
    }
    let hashed: String =
        digest(&SHA256, &input).as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    Bucket { key: format!("{kind}:{hashed}"), limit, window, on_success }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const HOME: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

    #[test]
    fn no_account_may_fail_more_than_100_times_in_a_row() {
        let buckets = login("alice@example.com", HOME);
        assert!(
            buckets
                .iter()
                .filter(|bucket| bucket.on_success == OnSuccess::Clear)
                .all(|bucket| bucket.limit <= 100)
        );
    }

    #[test]
    fn the_account_bucket_is_shared_by_all_addresses_and_the_address_bucket_by_all_accounts() {
        let one = login("alice@example.com", HOME);
        let other_address = login("alice@example.com", IpAddr::V4(Ipv4Addr::new(192, 0, 2, 8)));
        let other_account = login("bob@example.com", HOME);
        let shared =
            |left: &[Bucket], right: &[Bucket]| left.iter().filter(|bucket| right.contains(bucket)).count();
        assert_eq!(shared(&one, &other_address), 1);
        assert_eq!(shared(&one, &other_account), 1);
        assert_eq!(shared(&one, &login("alice@example.com", HOME)), 3);
    }

    #[test]
    fn success_elsewhere_never_clears_what_an_address_did() {
        for buckets in [login("a@b.cd", HOME), client_secret("c", HOME)] {
            let address = buckets.last().unwrap();
            assert_ne!(address.on_success, OnSuccess::Clear);
        }
    }

    #[test]
    fn keys_hold_no_address_and_no_account() {
        for bucket in [
            login("alice@example.com", HOME),
            password_reset("alice@example.com", HOME),
            sign_up("alice@example.com", HOME),
        ]
        .concat()
        {
            assert!(!bucket.key.contains("alice") && !bucket.key.contains("192"), "{}", bucket.key);
        }
    }

    #[test]
    fn an_ipv6_customer_is_one_and_a_mapped_address_is_its_ipv4_self() {
        let one = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 3, 4, 5, 6));
        let same = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 2, 9, 9, 9, 9));
        let other = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 1, 3, 3, 4, 5, 6));
        assert_eq!(login("a", one), login("a", same));
        assert_ne!(login("a", one)[2], login("a", other)[2]);
        assert_eq!(login("a", IpAddr::V6(Ipv4Addr::new(192, 0, 2, 7).to_ipv6_mapped())), login("a", HOME));
    }

    #[test]
    fn retry_after_is_what_is_left_of_the_window() {
        let bucket = &login("a", HOME)[0];
        assert_eq!(retry_after(bucket, 1_000, 1_000), bucket.window);
        assert_eq!(retry_after(bucket, 1_000, 1_000 + bucket.window - 5), 5);
        assert_eq!(retry_after(bucket, 1_000, 1_000 + bucket.window), 1);
        assert_eq!(retry_after(bucket, 5_000, 0), bucket.window);
    }

    proptest! {
        #[test]
        fn retry_after_is_always_within_the_window(start: i64, now: i64) {
            let bucket = &login("a", HOME)[0];
            let seconds = retry_after(bucket, start, now);
            prop_assert!((1..=bucket.window).contains(&seconds));
        }

        #[test]
        fn different_pairs_have_different_keys(a in "[a-c@.]{0,4}", b in "[a-c@.]{0,4}") {
            prop_assert_eq!(a == b, login(&a, HOME)[1].key == login(&b, HOME)[1].key);
        }
    }
}
