//! Every endpoint against every attempt: no token, forged, expired, for another audience, an ID token, without the scope,
//! of the wrong kind of caller, an old API key, the path written otherwise, past the gateway, and the right one. Sent
//! once, judged by several measures.
//!
//! No unsafe method is ever sent with a token that would let it through: forged tokens for POST, PUT, PATCH and
//! DELETE are forged from a token without the scope, so that a server that believes them still answers 403.

use crate::config::{Access, Caller};
use crate::world::World;
use crate::world::detours::Detour;
use crate::world::forge::{self, Forgery};
use crate::world::http::{Answer, Credential, Probe, Sent};
use crate::world::inventory::{Endpoint, Source};
use crate::world::kept;
use crate::world::tokens::{Had, Scopes};

/// What an endpoint was tried with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Attempt {
    NoToken,
    Forged(Forgery),
    Expired,
    WrongAudience,
    /// Said to whom it speaks of the user, not to an API (OpenID Connect Core section 2).
    IdToken,
    MissingScope,
    WrongCaller,
    ApiKey,
    /// The same endpoint written otherwise, without a token.
    Detour(Detour),
    /// The backend's own address, without a token.
    PastTheGateway,
    /// The one that should be let in; reading methods alone.
    Right,
}

impl Attempt {
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NoToken => "no token",
            Self::Forged(forgery) => forgery.words(),
            Self::Expired => "an expired token",
            Self::WrongAudience => "a token for another audience",
            Self::IdToken => "an ID token",
            Self::MissingScope => "a good token without the scope",
            Self::WrongCaller => "a token of the wrong kind of caller",
            Self::ApiKey => "an old API key",
            Self::Detour(detour) => detour.words(),
            Self::PastTheGateway => "no token, at the backend's own address",
            Self::Right => "the right token",
        }
    }
}

/// One attempt on one endpoint.
pub(crate) struct Cell {
    pub(crate) endpoint: usize,
    pub(crate) attempt: Attempt,
    /// The answer, or why none.
    pub(crate) outcome: Result<Answer, String>,
    /// The token was good but for what the attempt is about, so that only the attempt's own defence can refuse it.
    pub(crate) alone: bool,
}

/// What was sent to all endpoints, and what came back.
pub(crate) struct Matrix {
    pub(crate) cells: Vec<Cell>,
}

impl Matrix {
    pub(crate) fn cell(&self, endpoint: usize, attempt: Attempt) -> Option<&Cell> {
        self.cells.iter().find(|cell| cell.endpoint == endpoint && cell.attempt == attempt)
    }

    fn answer(&self, endpoint: usize, attempt: Attempt) -> Option<&Answer> {
        self.cell(endpoint, attempt)?.outcome.as_ref().ok()
    }

    /// The control of an endpoint: that it exists and lets in who belongs. For a reading method the right token is let
    /// in; for any other, a good token without the scope is told so by name, while no token at all gets 401.
    pub(crate) fn control(&self, at: usize, endpoint: &Endpoint) -> Result<String, String> {
        if endpoint.access == Access::Denied {
            return Ok("nobody may call it, so nothing can be let in".into());
        }
        if endpoint.is_safe() {
            return match self.cell(at, Attempt::Right).map(|cell| &cell.outcome) {
                Some(Ok(answer)) if let_in(answer.status) => {
                    Ok(format!("the right token got {} there", answer.status))
                }
                Some(Ok(answer)) => Err(format!("the right token got {} there too", answer.status)),
                Some(Err(why)) => Err(why.clone()),
                None => Err("the right token was not tried".into()),
            };
        }
        let without = self.answer(at, Attempt::NoToken).map(|answer| answer.status);
        match (without, self.answer(at, Attempt::MissingScope)) {
            (Some(401), Some(answer)) if answer.insufficient_scope() => {
                Ok("a good token without the scope got 403 insufficient_scope there, none got 401".into())
            }
            // The other kind's token is as good a witness that the route exists and tokens are told apart.
            (Some(401), _)
                if self.answer(at, Attempt::WrongCaller).is_some_and(|answer| answer.status == 403) =>
            {
                Ok("a good token of the wrong kind got 403 there, none got 401".into())
            }
            (_, Some(answer)) => Err(format!(
                "a good token without the scope got {} without insufficient_scope",
                answer.status
            )),
            (_, None) => match self.cell(at, Attempt::MissingScope).map(|cell| &cell.outcome) {
                Some(Err(why)) => Err(why.clone()),
                _ => Err("a good token without the scope was not tried".into()),
            },
        }
    }

    /// Whether some endpoint that wants this kind of caller let the right token in.
    pub(crate) fn lets_in(&self, endpoints: &[Endpoint], kind: Caller) -> bool {
        self.cells.iter().any(|cell| {
            cell.attempt == Attempt::Right
                && endpoints.get(cell.endpoint).and_then(Endpoint::caller) == Some(kind)
                && cell.outcome.as_ref().is_ok_and(|answer| let_in(answer.status))
        })
    }
}

/// Whether a status shows that authorisation passed. 429 and 503 show nothing.
pub(crate) fn let_in(status: u16) -> bool {
    !matches!(status, 401 | 403 | 407 | 429 | 503)
}

struct Planned {
    endpoint: usize,
    attempt: Attempt,
    probe: Result<Probe, String>,
    alone: bool,
}

pub(crate) async fn observe(world: &World) -> Matrix {
    let mut planned = Vec::new();
    let endpoints = &world.inventory.endpoints;
    let open = endpoints.iter().find(|endpoint| endpoint.is_public() && endpoint.is_safe());
    let open = open.map_or("/", |endpoint| endpoint.path.as_str());
    for (at, endpoint) in endpoints.iter().enumerate() {
        if !endpoint.is_public() {
            plan(world, at, endpoint, &mut planned).await;
            detours(world, at, endpoint, open, &mut planned);
        }
    }
    let probes = planned.iter().filter_map(|plan| plan.probe.as_ref().ok().cloned()).collect();
    let mut answers = world.http.send_all(probes).await.into_iter();
    let cells = planned
        .into_iter()
        .map(|plan| Cell {
            endpoint: plan.endpoint,
            attempt: plan.attempt,
            alone: plan.alone,
            outcome: plan
                .probe
                .and_then(|_| answers.next().unwrap_or_else(unsent).map_err(|error| error.to_string())),
        })
        .collect();
    Matrix { cells }
}

fn unsent() -> Sent {
    Err(crate::world::http::Unreachable("not sent".into(), crate::world::http::Point::NotSent))
}

async fn plan(world: &World, at: usize, endpoint: &Endpoint, planned: &mut Vec<Planned>) {
    let mut add = |attempt, credential: Result<Option<Credential>, String>, alone| {
        let probe =
            credential.map(|credential| Probe::new(&endpoint.method, endpoint.url()).with(credential));
        planned.push(Planned { endpoint: at, attempt, probe, alone });
    };
    let safe = endpoint.is_safe();
    let kind = endpoint.caller().unwrap_or(Caller::User);
    let right = right(world, endpoint).await;
    let lacking = if endpoint.scopes().is_empty() {
        Err("it names no scope that could be missing".to_owned())
    } else {
        lacking(world, kind, &endpoint.scopes()).await
    };
    add(Attempt::NoToken, Ok(None), true);

    // Where no scope can be missing, a forged token that is believed would act: only garbage is sent there.
    let harmless = safe || !endpoint.scopes().is_empty();
    let base = if safe { &right } else { &harmless_base(world, endpoint, kind, &lacking).await };
    for forgery in Forgery::ALL.into_iter().filter(|forgery| harmless || *forgery == Forgery::Garbage) {
        let keys = world.keys().await;
        let forged = match (forgery, base) {
            (Forgery::Garbage, _) => forge::forge(forgery, &"x".into(), keys),
            (_, Ok(token)) => forge::forge(forgery, &token.value, keys),
            (_, Err(_)) => None,
        };
        let why = || match base {
            Ok(_) => format!(
                "{} cannot be made: the token is no JWT or the issuer shows no RSA key",
                forgery.words()
            ),
            Err(why) => why.clone(),
        };
        let credential =
            forged.map(|token| Some(Credential::bearer(&token, forgery.words()))).ok_or_else(why);
        add(Attempt::Forged(forgery), credential, true);
    }
    if harmless {
        add(Attempt::Expired, expired(world, endpoint).map(Some), true);
    }
    if harmless && endpoint.source != Source::SessionApi {
        // The session API serves every audience that its issuer has sessions for.
        if let Some(credential) = wrong_audience(world, endpoint).await {
            add(Attempt::WrongAudience, credential.map(Some), true);
        }
    }
    if safe && let Some(token) = world.id_token().await {
        add(Attempt::IdToken, Ok(Some(Credential::bearer(token, "an ID token"))), true);
    }
    // A session's token always has the scopes of its own user: there is none without.
    let always_had = endpoint.source == Source::SessionApi && kind == Caller::User && lacking.is_err();
    if !endpoint.scopes().is_empty() && !always_had {
        add(Attempt::MissingScope, lacking.map(|token| Some(token.credential())), true);
    }
    if let Some(Caller::User | Caller::Client) = endpoint.caller() {
        let (credential, alone) = wrong_caller(world, endpoint, kind).await;
        add(Attempt::WrongCaller, credential.map(Some), alone);
    }
    if safe {
        if let Some(key) = &world.config.api_key {
            let credential = Credential::header(&world.config.api_key_header, key, "an old API key");
            let credential = credential.ok_or_else(|| "the API key's header has no header's name".to_owned());
            add(Attempt::ApiKey, credential.map(Some), true);
        }
        let backend = world.config.backend.as_deref().filter(|_| endpoint.source != Source::SessionApi);
        if let Some(backend) = backend {
            let url = format!("{}{}", backend.trim_end_matches('/'), endpoint.path);
            planned.push(Planned {
                endpoint: at,
                attempt: Attempt::PastTheGateway,
                probe: Ok(Probe::new(&endpoint.method, url)),
                alone: true,
            });
        }
        let right = right.map(|token| Some(token.credential()));
        let probe = right.map(|credential| Probe::new(&endpoint.method, endpoint.url()).with(credential));
        planned.push(Planned { endpoint: at, attempt: Attempt::Right, probe, alone: true });
    }
}

/// The endpoint written otherwise; not where that is the path of an endpoint that needs no token.
fn detours(world: &World, at: usize, endpoint: &Endpoint, open: &str, planned: &mut Vec<Planned>) {
    if endpoint.access == Access::Denied {
        return;
    }
    let public: Vec<String> =
        world.inventory.endpoints.iter().filter(|e| e.is_public()).map(Endpoint::url).collect();
    for detour in Detour::ALL {
        if let Some(probe) =
            detour.probe(endpoint, open).filter(|probe| !public.iter().any(|url| url == probe.url()))
        {
            planned.push(Planned {
                endpoint: at,
                attempt: Attempt::Detour(detour),
                probe: Ok(probe),
                alone: true,
            });
        }
    }
}

/// What forged tokens for unsafe methods are made from: one that, believed, is still refused for its scopes.
async fn harmless_base(world: &World, endpoint: &Endpoint, kind: Caller, lacking: &Had) -> Had {
    if lacking.is_ok() || endpoint.scopes().is_empty() {
        return lacking.clone();
    }
    let other = if kind == Caller::User { Caller::Client } else { Caller::User };
    match world.full(other).await {
        Ok(token) if !endpoint.satisfied_by(&token.scopes) => Ok(token),
        _ => lacking.clone(),
    }
}

/// A token that should be let in.
pub(crate) async fn right(world: &World, endpoint: &Endpoint) -> Had {
    let kinds: &[Caller] = match endpoint.caller() {
        Some(Caller::User) => &[Caller::User],
        Some(Caller::Client) => &[Caller::Client],
        _ => &[Caller::Client, Caller::User],
    };
    let mut reason = String::new();
    for kind in kinds {
        match world.full(*kind).await {
            Ok(token) if endpoint.access == Access::Denied || endpoint.satisfied_by(&token.scopes) => {
                return Ok(token);
            }
            Ok(_) => {
                let scopes = endpoint.scopes().into_iter().collect::<Vec<_>>().join(" ");
                reason = format!("the auditor's token was not granted {scopes}");
            }
            Err(why) => reason = why,
        }
    }
    Err(reason)
}

/// A good token without the scopes; for an endpoint of any caller a client's, or a user's where there is no client.
pub(crate) async fn lacking(world: &World, kind: Caller, unwanted: &Scopes) -> Had {
    if kind != Caller::Any {
        return world.lacking(kind, unwanted).await;
    }
    match world.lacking(Caller::Client, unwanted).await {
        Ok(token) => Ok(token),
        Err(_) => world.lacking(Caller::User, unwanted).await,
    }
}

/// A token of an earlier run that has ended, fitting the endpoint but for that.
fn expired(world: &World, endpoint: &Endpoint) -> Result<Credential, String> {
    let kept = kept::read(&world.config);
    let kind = endpoint.caller().unwrap_or(Caller::Any);
    let fits: Vec<_> = kept
        .iter()
        .filter(|token| token.let_in && (kind == Caller::Any || token.kind == kind || !endpoint.is_safe()))
        .filter(|token| {
            endpoint.satisfied_by(&token.scopes) == endpoint.is_safe() || endpoint.access == Access::Denied
        })
        .collect();
    if fits.is_empty() {
        return Err(
            "no token was kept by an earlier run: it is shown by the next run after the token's end".into()
        );
    }
    match fits.iter().find(|token| token.expires_at + kept::LEEWAY < world.now) {
        Some(token) => Ok(Credential::bearer(&token.value, "a token of an earlier run, past its exp")),
        None => Err("the kept token has not ended yet: it is shown by the next run after its end".into()),
    }
}

/// A token for another audience; none where it would act if its audience were not looked at.
async fn wrong_audience(world: &World, endpoint: &Endpoint) -> Option<Result<Credential, String>> {
    let Some(other) = &world.config.other_audience else {
        return Some(Err("no token for another audience can be had: no other audience is configured".into()));
    };
    // For reading, with the endpoint's scopes where the issuer grants them there, so that the audience alone refuses;
    // for anything else, without them.
    let scopes = endpoint.scopes();
    let wanted = if endpoint.is_safe() {
        scopes
    } else {
        world.tokens.client_scopes.difference(&scopes).cloned().collect()
    };
    let mut why = String::new();
    for scopes in [wanted, Scopes::new()] {
        match world.tokens.for_audience(&world.config, &world.http, Caller::Client, other, scopes).await {
            Ok(token) if endpoint.is_safe() || !endpoint.satisfied_by(&token.scopes) => {
                return Some(Ok(token.credential()));
            }
            Ok(_) => return None,
            Err(reason) => why = reason,
        }
    }
    Some(Err(format!("no token for another audience can be had: {why}")))
}

/// The other kind's token: for a reading method with the endpoint's scope where the issuer grants it; for any other
/// method without, and then the scope alone could have refused it.
async fn wrong_caller(
    world: &World,
    endpoint: &Endpoint,
    kind: Caller,
) -> (Result<Credential, String>, bool) {
    let other = if kind == Caller::User { Caller::Client } else { Caller::User };
    if endpoint.is_safe() {
        let scopes = endpoint.scopes();
        if let Ok(token) = world.tokens.with(&world.config, &world.http, other, scopes).await
            && endpoint.satisfied_by(&token.scopes)
        {
            return (Ok(token.credential()), true);
        }
    }
    match world.full(other).await {
        Ok(token) if endpoint.is_safe() || !endpoint.satisfied_by(&token.scopes) => {
            (Ok(token.credential()), false)
        }
        Ok(_) if endpoint.scopes().is_empty() => match world.full(other).await {
            // Without a scope the kind alone refuses: DELETE of a session with a client's token ends nothing.
            Ok(token) => (Ok(token.credential()), true),
            Err(why) => (Err(why), false),
        },
        Ok(_) => match lacking(world, other, &endpoint.scopes()).await {
            Ok(token) => (Ok(token.credential()), false),
            Err(why) => (Err(why), false),
        },
        Err(why) => (Err(why), false),
    }
}
