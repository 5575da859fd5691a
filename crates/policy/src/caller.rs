//! Who is calling: a user, a client by itself, or a holder of an old API key.

use crate::rule::CallerKind;
use crate::scope::ScopeSet;

/// The claims of a verified token that say who is calling. Fill it from claims whose signature, issuer, audience and
/// times have been checked.
#[derive(Debug, Clone, Copy, Default)]
pub struct TokenFacts<'a> {
    /// `sub`
    pub sub: Option<&'a str>,
    /// `client_id` (RFC 9068 section 2.2)
    pub client_id: Option<&'a str>,
    /// `azp`, where Auth0 puts the client
    pub azp: Option<&'a str>,
    /// `gty`, Auth0's name of the grant
    pub gty: Option<&'a str>,
    /// `scope`, space-separated
    pub scope: Option<&'a str>,
}

/// What kind of caller was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallerKindSeen {
    /// A token that a user's login led to.
    User,
    /// A client-credentials token.
    Client,
    /// A static API key, while they are being replaced. Counts as a client, never as a user.
    ApiKey,
}

impl CallerKindSeen {
    /// In words, for reasons and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Client => "client",
            Self::ApiKey => "API key",
        }
    }
}

/// A caller with what it may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The user's id, or the client's subject.
    pub subject: Option<String>,
    /// The client that sends the request.
    pub client: Option<String>,
    /// What kind of caller it is.
    pub kind: CallerKindSeen,
    /// The scopes of the token or key.
    pub scopes: ScopeSet,
}

/// How the subject of a client-credentials token ends, ours and Auth0's. No user's id ends so.
pub const CLIENT_SUBJECT_SUFFIX: &str = "@clients";

impl Caller {
    /// Tells a client's token from a user's.
    ///
    /// It is a client's when `sub` ends in `@clients`, `gty` is client-credentials (either spelling), or `sub` equals
    /// the client (`client_id`, else `azp`); every other is a user's. Members of `scope` that are no scopes are
    /// dropped.
    #[must_use]
    pub fn from_token(facts: &TokenFacts<'_>) -> Self {
        let client = facts.client_id.or(facts.azp);
        let by_subject = facts.sub.is_some_and(|sub| sub.ends_with(CLIENT_SUBJECT_SUFFIX));
        let by_grant = matches!(facts.gty, Some("client-credentials" | "client_credentials"));
        let by_itself = facts.sub.is_some() && (facts.sub == facts.client_id || facts.sub == client);
        Self {
            subject: facts.sub.map(str::to_owned),
            client: client.map(str::to_owned),
            kind: if by_subject || by_grant || by_itself {
                CallerKindSeen::Client
            } else {
                CallerKindSeen::User
            },
            scopes: ScopeSet::granted(facts.scope.unwrap_or_default()),
        }
    }

    /// The holder of an API key. `client` is the key's owner, where one was named.
    #[must_use]
    pub fn from_api_key(client: Option<String>, scopes: ScopeSet) -> Self {
        Self { subject: None, client, kind: CallerKindSeen::ApiKey, scopes }
    }

    /// Whether a rule for `wanted` lets this kind of caller in. A user without a subject is nobody.
    #[must_use]
    pub fn is(&self, wanted: CallerKind) -> bool {
        let user = self.kind == CallerKindSeen::User;
        let somebody = !user || self.subject.as_deref().is_some_and(|sub| !sub.is_empty());
        somebody
            && match wanted {
                CallerKind::Any => true,
                CallerKind::User => user,
                CallerKind::Client => !user,
            }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_tokens_are_a_clients() {
        let kind = |sub, client_id, azp, gty| {
            Caller::from_token(&TokenFacts { sub, client_id, azp, gty, scope: None }).kind
        };
        use CallerKindSeen::{Client, User};
        assert_eq!(kind(Some("c1@clients"), Some("c1"), None, Some("client-credentials")), Client);
        assert_eq!(kind(Some("c1@clients"), None, None, None), Client);
        assert_eq!(kind(Some("usr_1"), Some("c1"), None, Some("client-credentials")), Client);
        assert_eq!(kind(Some("usr_1"), Some("c1"), None, Some("client_credentials")), Client);
        assert_eq!(kind(Some("c1"), Some("c1"), None, None), Client);
        assert_eq!(kind(Some("c1"), None, Some("c1"), None), Client);
        assert_eq!(kind(Some("c1"), Some("c1"), Some("c2"), None), Client);
        assert_eq!(kind(Some("usr_1"), Some("c1"), None, None), User);
        assert_eq!(kind(Some("usr_1"), Some("c1"), None, Some("password")), User);
        assert_eq!(kind(Some("auth0|5f7c8ec7c33c6c004bbafe82"), None, Some("c1"), None), User);
        assert_eq!(kind(Some("usr_@clients.example"), Some("c1"), None, None), User);
        assert_eq!(kind(None, None, None, None), User);
    }

    #[test]
    fn a_user_without_a_subject_is_nobody() {
        let nobody = Caller::from_token(&TokenFacts { scope: Some("a"), ..TokenFacts::default() });
        for wanted in [CallerKind::User, CallerKind::Client, CallerKind::Any] {
            assert!(!nobody.is(wanted));
        }
    }

    #[test]
    fn an_api_key_is_never_a_user() {
        let key = Caller::from_api_key(Some("old".into()), ScopeSet::granted("a"));
        assert!(!key.is(CallerKind::User));
        assert!(key.is(CallerKind::Client));
        assert!(key.is(CallerKind::Any));
    }

    #[test]
    fn the_client_is_client_id_else_azp() {
        let facts = TokenFacts { sub: Some("u"), azp: Some("spa"), ..TokenFacts::default() };
        assert_eq!(Caller::from_token(&facts).client.as_deref(), Some("spa"));
        let facts = TokenFacts { client_id: Some("c"), ..facts };
        assert_eq!(Caller::from_token(&facts).client.as_deref(), Some("c"));
    }
}
