//! What the planted backend answers: its rules, its tokens, and what it lets through where a row has it lack a defence.

use std::collections::BTreeMap;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::Defect;
use super::NOW;
use super::backend::{AUDIENCE, CLIENT, LIFETIME, Reply, Request, Serves, Shared, answered, refused, reply};
use crate::world::random_hex;

/// Method, path, scope, whose token.
const RULES: [(&str, &str, &str, &str); 7] = [
    ("GET", "/orders", "read:orders", "user"),
    ("DELETE", "/orders", "write:orders", "user"),
    ("GET", "/reports", "read:reports", "client"),
    ("POST", "/reports", "run:reports", "client"),
    ("GET", "/users/me", "read:current_user", "user"),
    ("PATCH", "/users/me", "update:current_user", "user"),
    ("DELETE", "/users/me", "delete:current_user", "user"),
];
/// What every login may do.
const OWN: &str = "read:current_user update:current_user delete:current_user";
/// The types of body that are read.
const BODIES: [&str; 2] = ["application/json", "application/x-www-form-urlencoded"];

impl Shared {
    pub(super) fn answer(&self, request: &Request) -> Reply {
        if let Serves::Page = self.serves {
            let home = request.path == "/" && matches!(request.method.as_str(), "GET" | "HEAD");
            return if home { answered(&json!({"page": true})) } else { reply(404) };
        }
        let unsafe_method = !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
        let foreign = request.header("origin").is_some_and(|origin| !self.is_frontend(origin));
        match (request.method.as_str(), request.path.as_str()) {
            ("OPTIONS", _) => return reply(204),
            _ if foreign && unsafe_method => return reply(403),
            ("GET", "/.well-known/jwks.json") => return self.keys(),
            ("GET", "/.well-known/openid-configuration") => {
                let name = if self.lacks(Defect::OtherName) { "https://other.example" } else { &self.url };
                return answered(
                    &json!({"issuer": format!("{name}/"), "jwks_uri": format!("{}/.well-known/jwks.json", self.url)}),
                );
            }
            ("GET", "/.git/HEAD") if self.lacks(Defect::ServedHistory) => {
                return Reply { body: "ref: refs/heads/main\n".into(), ..reply(200) };
            }
            ("GET", "/mailbox") => return answered(&self.accounts.mails()),
            // Opening a link changes nothing.
            ("GET", "/reset") => return answered(&json!({"form": true})),
            ("GET", path) if path.contains("..;") && self.lacks(Defect::CarelessPath) => {
                return answered(&json!({"ok": true}));
            }
            ("GET", _) if request.header("x-user-id").is_some() && self.lacks(Defect::BelievedHeader) => {
                return answered(&json!({"ok": true}));
            }
            _ => {}
        }
        let kind = request.header("content-type").unwrap_or(BODIES[0]);
        if !request.body.is_empty() && !BODIES.contains(&kind) && !self.lacks(Defect::AnyBody) {
            return reply(415);
        }
        if (request.method.as_str(), request.path.as_str()) == ("POST", "/oauth/token") {
            return self.client_token(&request.body);
        }
        self.guarded(request)
    }

    fn keys(&self) -> Reply {
        let modulus = URL_SAFE_NO_PAD.encode([0xc3; 384]);
        let mut key =
            json!({"kty": "RSA", "kid": "1", "use": "sig", "alg": "RS256", "n": modulus, "e": "AQAB"});
        if self.lacks(Defect::PublishedPrivateKey) {
            key["d"] = json!(modulus);
        }
        answered(&json!({ "keys": [key] }))
    }

    fn guarded(&self, request: &Request) -> Reply {
        let asked = (request.method.as_str(), request.path.as_str());
        let session = matches!(
            asked,
            ("POST", "/users" | "/users/session" | "/users/session/refresh")
                | ("POST" | "PUT", "/users/password-reset")
        );
        let rule = RULES.into_iter().find(|rule| rule.0 == request.method && rule.1 == request.path);
        let rule = if session { Some(("", "", "session", "client")) } else { rule };
        let token = request.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        let open = self.lacks(Defect::NoAuthentication)
            || (request.header("api-key").is_some() && self.lacks(Defect::LiveApiKey));
        let Some(claims) = token.and_then(|token| self.believed(token)) else {
            if open && rule.is_some() && !session {
                return answered(&json!({"ok": true}));
            }
            return refused(if token.is_some() { "Bearer error=\"invalid_token\"" } else { "Bearer" });
        };
        if asked == ("DELETE", "/users/session") {
            if claims["whose"] != "user" {
                return refused("Bearer error=\"insufficient_scope\"");
            }
            if !self.lacks(Defect::EndlessSession) {
                self.accounts.end(claims["sid"].as_str().unwrap_or_default());
            }
            return reply(204);
        }
        let Some((_, _, scope, whose)) = rule else { return reply(403) };
        let held = claims["scope"].as_str().unwrap_or_default().split(' ').any(|held| held == scope);
        let machines = whose == "client" && !session && self.lacks(Defect::AnyoneAtMachines);
        let right = claims["whose"] == whose || self.lacks(Defect::AnyCaller) || machines;
        if !right || !(held || self.lacks(Defect::AnyScope) || machines) {
            return refused("Bearer error=\"insufficient_scope\"");
        }
        match asked {
            _ if session => self.account(asked.0, asked.1, &request.body),
            ("DELETE", "/users/me") => {
                self.accounts.delete(claims["sub"].as_str().unwrap_or_default());
                reply(204)
            }
            _ => answered(&json!({"ok": true})),
        }
    }

    /// The claims of a token that is believed.
    fn believed(&self, token: &str) -> Option<Value> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (head, payload) = signed.split_once('.')?;
        let decode = |part: &str| serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).ok()?).ok();
        let (head, claims) = (decode(head)?, decode(payload)?);
        let tag = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
        let signed =
            hmac::verify(&self.key, signed.as_bytes(), &tag).is_ok() || self.lacks(Defect::AnySignature);
        let right = head["alg"] == "RS256" && claims["aud"] == AUDIENCE && claims["exp"].as_i64()? > NOW;
        let over = claims["sid"].as_str().is_some_and(|session| !self.accounts.goes_on(session));
        (signed && right && !over).then_some(claims)
    }

    fn mint(&self, mut claims: Value) -> String {
        let lifetime = if self.lacks(Defect::LongLife) { 30 * 86_400 } else { LIFETIME };
        claims["iss"] = json!(format!("{}/", self.url));
        claims["iat"] = json!(NOW);
        claims["exp"] = json!(NOW + lifetime);
        claims["jti"] = json!(random_hex::<8>());
        let head = URL_SAFE_NO_PAD.encode(json!({"alg": "RS256", "kid": "1", "typ": "at+jwt"}).to_string());
        let signed = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims.to_string()));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, signed.as_bytes())))
    }

    /// A token of a session, and its scopes.
    pub(super) fn users_token(&self, email: &str, session: &str, scope: Option<&str>) -> (String, String) {
        let scope = format!("{} {OWN}", scope.unwrap_or("read:orders write:orders"));
        let claims = json!({"sub": email, "sid": session, "aud": AUDIENCE, "scope": scope, "whose": "user"});
        (self.mint(claims), scope)
    }

    fn client_token(&self, body: &[u8]) -> Reply {
        let form: BTreeMap<_, _> = url::form_urlencoded::parse(body).into_owned().collect();
        let text = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        let no =
            |status: u16, error: &str| Reply { body: json!({ "error": error }).to_string(), ..reply(status) };
        if text("client_secret") != CLIENT.1 || text("grant_type") != "client_credentials" {
            return no(401, "invalid_client");
        }
        let mut all = vec!["session", "read:reports", "run:reports"];
        if self.lacks(Defect::AnyCaller) {
            // Such a world relies on nothing but scopes, and gives users' scopes to clients too.
            all.extend(["read:orders", "write:orders"]);
            all.extend(OWN.split(' '));
        }
        let scope = if text("scope").is_empty() { all.join(" ") } else { text("scope").to_owned() };
        if !scope.split(' ').all(|scope| all.contains(&scope)) {
            return no(400, "invalid_scope");
        }
        let claims =
            json!({"sub": "audit@clients", "aud": text("audience"), "scope": scope, "whose": "client"});
        answered(&json!({"access_token": self.mint(claims), "token_type": "Bearer", "scope": scope}))
    }
}
