//! Our own vectors, one or more of every class of bad token that Wycheproof and RFC 8725 know; bad keys are in
//! `key_refusals.rs`. They are made here, at run time, so that every refusal stands beside an acceptance that
//! differs in one thing.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod keys;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jose::{
    Algorithm, CompactError, JsonError, KeyPolicy, KeySet, MAXIMUM_TOKEN, Part, PublicKey, VerifyError,
    verify,
};
use keys::{forge, key, only};
use serde_json::json;

const HEADER: &str = r#"{"alg":"ES256","kid":"ES256"}"#;

fn refusal(token: &str) -> VerifyError {
    verify(token, &only(Algorithm::Es256)).unwrap_err()
}

fn malformed(token: &str) -> CompactError {
    match refusal(token) {
        VerifyError::Malformed(error) => error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_algorithm_accepts_its_own_and_refuses_each_other() {
    for algorithm in Algorithm::ALL {
        let header = format!(r#"{{"alg":"{algorithm}","kid":"{algorithm}"}}"#);
        let token = forge(algorithm, &header, b"payload");
        assert_eq!(verify(&token, &only(algorithm)).unwrap().bytes, b"payload", "{algorithm}");
        for other in Algorithm::ALL.into_iter().filter(|&other| other != algorithm) {
            // The header asks for the other algorithm, the signature is this one's.
            let header = format!(r#"{{"alg":"{other}","kid":"{algorithm}"}}"#);
            assert!(
                verify(&forge(algorithm, &header, b"payload"), &only(algorithm)).is_err(),
                "{algorithm} {other}"
            );
            // The header is the other key's, the signature this one's.
            let header = format!(r#"{{"alg":"{other}","kid":"{other}"}}"#);
            let both = KeySet::new(vec![key(algorithm).public(), key(other).public()]).unwrap();
            assert!(verify(&forge(algorithm, &header, b"payload"), &both).is_err(), "{algorithm} as {other}");
        }
    }
}

#[test]
fn parts_missing_added_or_empty() {
    let token = forge(Algorithm::Es256, HEADER, b"payload");
    assert!(verify(&token, &only(Algorithm::Es256)).is_ok());
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    for bad in [
        String::new(),
        ".".to_owned(),
        header.to_owned(),
        format!("{header}.{payload}"),
        format!("{payload}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{header}.{payload}..{signature}"),
        format!("{header}.{payload}.{signature}.a.b"),
    ] {
        assert_eq!(malformed(&bad), CompactError::NotThreeParts, "{bad:?}");
    }
    assert_eq!(malformed(".."), CompactError::Header(JsonError::Syntax));
    assert_eq!(malformed(&format!(".{payload}.{signature}")), CompactError::Header(JsonError::Syntax));
    assert_eq!(refusal(&format!("{header}.{payload}.")), VerifyError::BadSignature);
    assert_eq!(refusal(&format!("{header}..{signature}")), VerifyError::BadSignature);
    // JSON serialisation (RFC 7515 section 7.2) is another format.
    let flattened = json!({ "protected": header, "payload": payload, "signature": signature }).to_string();
    assert_eq!(malformed(&flattened), CompactError::NotThreeParts);
}

#[test]
fn base64url_has_one_spelling() {
    // One byte of payload leaves four trailing bits, a signature of 64 bytes too.
    let token = forge(Algorithm::Es256, HEADER, b"a");
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    assert_eq!(payload, "YQ");
    for bad in [
        "YQ==", "YQ=", "YR", "Yf", "Y Q", " YQ", "YQ ", "YQ\n", "Y#Q", "Y\0Q", "Y+", "Y/", "Y", "ÝQ", "YQAAA",
    ] {
        let error = malformed(&format!("{header}.{bad}.{signature}"));
        assert_eq!(error, CompactError::Encoding(Part::Payload), "{bad:?}");
    }
    let next = |letter: u8| char::from(if letter == b'Q' { b'R' } else { letter + 1 });
    let last = signature.bytes().last().unwrap();
    let respelt = format!("{}{}", &signature[..signature.len() - 1], next(last));
    for bad in [respelt, format!("{signature}=="), format!("{signature} "), format!(" {signature}")] {
        let error = malformed(&format!("{header}.{payload}.{bad}"));
        assert_eq!(error, CompactError::Encoding(Part::Signature), "{bad:?}");
    }
    for bad in [format!("{header}="), format!("{header} "), format!("\u{feff}{header}")] {
        let error = malformed(&format!("{bad}.{payload}.{signature}"));
        assert_eq!(error, CompactError::Encoding(Part::Header), "{bad:?}");
    }
    // Signed over the bad spelling, so that nothing but the spelling is wrong.
    let input = format!("{header}.YR");
    let signed = key(Algorithm::Es256).sign(input.as_bytes()).unwrap();
    let error = malformed(&format!("{input}.{}", URL_SAFE_NO_PAD.encode(signed)));
    assert_eq!(error, CompactError::Encoding(Part::Payload));
}

#[test]
fn headers() {
    use CompactError::{Critical, NoAlgorithm, NotText, UnencodedPayload, UnknownAlgorithm};
    let deep = format!(r#"{{"alg":"ES256","kid":"ES256","a":{}{}}}"#, "[".repeat(16), "]".repeat(16));
    let cases: [(&str, CompactError); 32] = [
        (r#"{"kid":"ES256"}"#, NoAlgorithm),
        (r#"{"alg":"none","kid":"ES256"}"#, UnknownAlgorithm),
        (r#"{"alg":"None"}"#, UnknownAlgorithm),
        (r#"{"alg":"NONE"}"#, UnknownAlgorithm),
        (r#"{"alg":"nOnE"}"#, UnknownAlgorithm),
        (r#"{"alg":""}"#, UnknownAlgorithm),
        (r#"{"alg":"es256","kid":"ES256"}"#, UnknownAlgorithm),
        (r#"{"alg":"ES256 ","kid":"ES256"}"#, UnknownAlgorithm),
        (r#"{"alg":"HS256","kid":"ES256"}"#, UnknownAlgorithm),
        (r#"{"alg":["ES256"],"kid":"ES256"}"#, NotText("alg")),
        (r#"{"alg":null,"kid":"ES256"}"#, NotText("alg")),
        (r#"{"alg":256,"kid":"ES256"}"#, NotText("alg")),
        (r#"{"alg":"ES256","kid":1}"#, NotText("kid")),
        (r#"{"alg":"ES256","kid":null}"#, NotText("kid")),
        (r#"{"alg":"ES256","kid":["ES256"]}"#, NotText("kid")),
        (r#"{"alg":"ES256","kid":"ES256","typ":1}"#, NotText("typ")),
        (r#"{"alg":"ES256","kid":"ES256","crit":["exp"],"exp":1}"#, Critical),
        (r#"{"alg":"ES256","kid":"ES256","crit":[]}"#, Critical),
        (r#"{"alg":"ES256","kid":"ES256","crit":null}"#, Critical),
        (r#"{"alg":"ES256","kid":"ES256","crit":["b64"],"b64":false}"#, Critical),
        (r#"{"alg":"ES256","kid":"ES256","b64":false}"#, UnencodedPayload),
        (r#"{"alg":"ES256","kid":"ES256","b64":true}"#, UnencodedPayload),
        (r#"{"alg":"ES256","kid":"ES256","zip":"DEF"}"#, CompactError::Compressed),
        (r#"{"alg":"ES256","kid":"ES256","alg":"none"}"#, CompactError::Header(JsonError::DoubledMember)),
        (
            r#"{"alg":"ES256","kid":"ES256","\u0061lg":"ES256"}"#,
            CompactError::Header(JsonError::DoubledMember),
        ),
        (
            r#"{"alg":"ES256","kid":"ES256","x":{"y":1,"y":2}}"#,
            CompactError::Header(JsonError::DoubledMember),
        ),
        (r#"{"alg":"ES256","kid":"ES256"}{}"#, CompactError::Header(JsonError::Syntax)),
        (r#"{"alg":"ES256","kid":"ES256""#, CompactError::Header(JsonError::Syntax)),
        (r#"{'alg':'ES256'}"#, CompactError::Header(JsonError::Syntax)),
        (r#"["ES256"]"#, CompactError::Header(JsonError::NotAnObject)),
        ("\u{feff}{\"alg\":\"ES256\",\"kid\":\"ES256\"}", CompactError::Header(JsonError::Syntax)),
        (&deep, CompactError::Header(JsonError::TooDeep)),
    ];
    for (header, expected) in cases {
        assert_eq!(malformed(&forge(Algorithm::Es256, header, b"payload")), expected, "{header}");
    }
    // What differs in white space, order, escapes or unknown members alone is good.
    for header in [
        r#"{"kid":"ES256","alg":"ES256"}"#,
        "{\n\t\"alg\" : \"ES256\", \"kid\" : \"ES256\" }",
        r#"{"\u0061lg":"ES256","kid":"\u0045S256"}"#,
        r#"{"alg":"ES256","kid":"ES256","cty":"x","https://a.example/":{"b":[1,2,{"c":null}]}}"#,
        r#"{"alg":"ES256"}"#,
    ] {
        assert!(
            verify(&forge(Algorithm::Es256, header, b"payload"), &only(Algorithm::Es256)).is_ok(),
            "{header}"
        );
    }
}

#[test]
fn sizes() {
    let room = MAXIMUM_TOKEN - forge(Algorithm::Es256, HEADER, b"").len();
    let longest = forge(Algorithm::Es256, HEADER, &vec![b'a'; room / 4 * 3]);
    assert!(longest.len() <= MAXIMUM_TOKEN && longest.len() > MAXIMUM_TOKEN - 4);
    assert!(verify(&longest, &only(Algorithm::Es256)).is_ok());
    let longer = forge(Algorithm::Es256, HEADER, &vec![b'a'; room / 4 * 3 + 3]);
    assert_eq!(malformed(&longer), CompactError::TooLong);
    assert_eq!(malformed(&"💥".repeat(MAXIMUM_TOKEN)), CompactError::TooLong);
}

#[test]
fn a_kid_is_looked_up_and_nothing_else() {
    let long = "k".repeat(10_000);
    for kid in ["../../../../dev/null", "' OR 1=1 --", "ES256\0", "es256", " ES256", "", "|id", &long] {
        let header = json!({ "alg": "ES256", "kid": kid }).to_string();
        let error = refusal(&forge(Algorithm::Es256, &header, b"payload"));
        assert_eq!(error, VerifyError::UnknownKey { kid: Some(kid.to_owned()) });
        assert!(error.to_string().len() < 200, "a log line must not carry {} bytes", error.to_string().len());
        assert!(!error.to_string().contains('\0'));
    }
}

#[test]
fn without_a_kid_one_key_of_the_algorithm_or_none() {
    let token = forge(Algorithm::Es256, r#"{"alg":"ES256"}"#, b"payload");
    let mine = key(Algorithm::Es256).public();
    let mut twin = mine.to_jwk();
    twin["kid"] = json!("another");
    let twin = PublicKey::from_jwk(&twin, &KeyPolicy::FOREIGN).unwrap();
    let set = |keys| KeySet::new(keys).unwrap();
    assert!(verify(&token, &set(vec![mine.clone()])).is_ok());
    assert!(verify(&token, &set(vec![key(Algorithm::Rs256).public(), mine.clone()])).is_ok());
    assert_eq!(verify(&token, &set(vec![mine, twin])).unwrap_err(), VerifyError::AmbiguousKey);
    let unknown = VerifyError::UnknownKey { kid: None };
    assert_eq!(verify(&token, &only(Algorithm::Rs256)).unwrap_err(), unknown);
    assert_eq!(verify(&token, &KeySet::default()).unwrap_err(), unknown);
}

#[test]
fn keys_in_the_header_are_ignored() {
    let stranger = key(Algorithm::Rs256).public().to_jwk();
    for (name, value) in [
        ("jwk", stranger.clone()),
        ("jku", json!("https://attacker.example/jwks.json")),
        ("x5u", json!("https://attacker.example/cert.pem")),
        ("x5c", json!(["MIIB"])),
    ] {
        // The stranger signs and brings his own key along, under our kid.
        let header = json!({ "alg": "RS256", "kid": "ES256", name: value }).to_string();
        assert_eq!(
            refusal(&forge(Algorithm::Rs256, &header, b"payload")),
            VerifyError::AlgorithmMismatch,
            "{name}"
        );
        let header = json!({ "alg": "RS256", "kid": "RS256", name: value }).to_string();
        assert!(matches!(
            refusal(&forge(Algorithm::Rs256, &header, b"payload")),
            VerifyError::UnknownKey { .. }
        ));
        // Our own signature is not worse for it.
        let header = json!({ "alg": "ES256", "kid": "ES256", name: value }).to_string();
        assert!(
            verify(&forge(Algorithm::Es256, &header, b"payload"), &only(Algorithm::Es256)).is_ok(),
            "{name}"
        );
    }
}

#[test]
fn ecdsa_signatures_are_two_numbers_of_full_length_in_range() {
    for (algorithm, size) in [(Algorithm::Es256, 32), (Algorithm::Es384, 48), (Algorithm::Es512, 66)] {
        let header = format!(r#"{{"alg":"{algorithm}","kid":"{algorithm}"}}"#);
        let token = forge(algorithm, &header, b"payload");
        let (input, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        assert_eq!(signature.len(), 2 * size);
        let (r, s) = signature.split_at(size);
        let (zero, one, all) = (vec![0; size], [vec![0; size - 1], vec![1]].concat(), vec![0xff; size]);
        let der = |r: &[u8], s: &[u8]| {
            let number = |n: &[u8]| [vec![0x02, u8::try_from(n.len() + 1).unwrap(), 0], n.to_vec()].concat();
            let body = [number(r), number(s)].concat();
            [vec![0x30, u8::try_from(body.len() & 0x7f).unwrap()], body].concat()
        };
        let bad = [
            vec![],
            [&zero[..], &zero].concat(),
            [&zero[..], s].concat(),
            [r, &zero].concat(),
            [&one[..], &one].concat(),
            [&all[..], &all].concat(),
            [r, &all].concat(),
            [s, r].concat(),
            [r, s, &[0]].concat(),
            [&[0], r, s].concat(),
            [&[0], r, &[0], s].concat(),
            signature[..2 * size - 1].to_vec(),
            r.to_vec(),
            der(r, s),
        ];
        for (i, bad) in bad.iter().enumerate() {
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(bad));
            assert_eq!(
                verify(&token, &only(algorithm)).unwrap_err(),
                VerifyError::BadSignature,
                "{algorithm} {i}"
            );
        }
    }
}

#[test]
fn rsa_signatures_have_the_length_of_the_modulus() {
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256] {
        let header = format!(r#"{{"alg":"{algorithm}","kid":"{algorithm}"}}"#);
        let token = forge(algorithm, &header, b"payload");
        let (input, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let bad = [
            vec![],
            vec![0; 256],
            vec![0xff; 256],
            [vec![0; 255], vec![1]].concat(),
            [&signature[..], &[0]].concat(),
            [&[0], &signature[..]].concat(),
            signature[1..].to_vec(),
            signature.iter().rev().copied().collect(),
        ];
        for (i, bad) in bad.iter().enumerate() {
            let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(bad));
            assert_eq!(
                verify(&token, &only(algorithm)).unwrap_err(),
                VerifyError::BadSignature,
                "{algorithm} {i}"
            );
        }
    }
}
