//! From `[gateway]` to the gateway's settings.

use super::identity::{access_token_lifetime, has_issuer};
use super::policy::Policy;
use crate::config::raw::{GatewayMode, Issuer, Profile};
use crate::config::{ConfigError, Configuration, Environment};
use gateway::{ApiKeysConfig, Config, IssuerConfig, Jwks, Mode};
use std::sync::Arc;

/// `gateway.audience`, which everything at the gateway is about.
pub fn audience(configuration: &Configuration) -> Result<String, ConfigError> {
    configuration
        .file
        .gateway
        .as_ref()
        .and_then(|gateway| gateway.audience.clone())
        .filter(|audience| !audience.is_empty())
        .ok_or_else(|| {
            ConfigError::Invalid("gateway.audience is missing: what a token's `aud` must contain".to_owned())
        })
}

/// The gateway's settings, `policy` inside.
pub fn config(configuration: &Configuration, policy: &Policy) -> Result<Config, ConfigError> {
    let section = configuration.file.gateway.clone().unwrap_or_default();
    let audience = audience(configuration)?;
    let upstream =
        section.upstream.ok_or_else(|| ConfigError::Invalid("gateway.upstream is missing".to_owned()))?;
    let upstream = upstream.parse().map_err(|error| {
        ConfigError::Invalid(format!("gateway.upstream: `{upstream}` is no address: {error}"))
    })?;
    let mut config = Config::new(upstream, Arc::new(policy.table.clone()));
    config.origins = policy.origins.clone();
    config.mode = match section.mode {
        Some(GatewayMode::Observe) => Mode::Observe,
        Some(GatewayMode::Enforce) | None => Mode::Enforce,
    };
    if let Some(remembered) = section.remembered_tokens {
        config.remembered_tokens = remembered;
    }
    config.maximum_body = section.maximum_body.map(|size| size.0);
    if let Some(span) = section.upstream_timeout {
        config.timeouts.response = std::time::Duration::from_secs(span.seconds().unsigned_abs());
    }
    config.forward_token = section.forward_token.unwrap_or(false);
    config.trusted_proxies = configuration.file.trusted_proxies.clone().unwrap_or_default();
    let lifetime = access_token_lifetime(configuration);
    if has_issuer(configuration) {
        let issuer = configuration.file.identity.as_ref().and_then(|identity| identity.issuer.clone());
        config.issuers.push(IssuerConfig {
            url: issuer.unwrap_or_default(),
            audience: audience.clone(),
            profile: gateway::Profile::Rfc9068,
            maximum_token_lifetime: lifetime,
            jwks: Jwks::Own,
            allow_http: false,
        });
    }
    for foreign in section.issuer.iter().flatten() {
        config.issuers.push(issuer(configuration, foreign, &audience, lifetime)?);
    }
    if config.issuers.is_empty() {
        return Err(ConfigError::Invalid(
            "nobody's tokens would be accepted: set identity.issuer, or add a [[gateway.issuer]]".to_owned(),
        ));
    }
    if let Some(keys) = &section.api_keys {
        let header = keys.header.clone().unwrap_or_else(|| "API-Key".to_owned());
        config.api_keys = Some(ApiKeysConfig {
            header: header.parse().map_err(|_| {
                ConfigError::Invalid(format!("gateway.api_keys.header: `{header}` is no header name"))
            })?,
            deprecated: keys.deprecated.map(|day| day.0),
            sunset: keys.sunset.map(|day| day.0),
            link: keys.link.clone(),
        });
    }
    Ok(config)
}

fn issuer(
    configuration: &Configuration,
    written: &Issuer,
    audience: &str,
    lifetime: i64,
) -> Result<IssuerConfig, ConfigError> {
    let url = written
        .url
        .clone()
        .ok_or_else(|| ConfigError::Invalid("gateway.issuer: url is missing".to_owned()))?;
    let jwks = match &written.jwks {
        None => Jwks::Discovery,
        Some(jwks) if jwks.contains("://") => Jwks::Url(jwks.parse().map_err(|error| {
            ConfigError::Invalid(format!("gateway.issuer {url}: jwks `{jwks}` is no address: {error}"))
        })?),
        Some(path) => Jwks::File(configuration.path(std::path::Path::new(path))),
    };
    Ok(IssuerConfig {
        audience: written.audience.clone().unwrap_or_else(|| audience.to_owned()),
        profile: match written.profile.unwrap_or_default() {
            Profile::Rfc9068 => gateway::Profile::Rfc9068,
            Profile::Auth0 => gateway::Profile::Auth0,
        },
        maximum_token_lifetime: written.maximum_token_lifetime.map_or(lifetime, |span| span.seconds()),
        jwks,
        // Tests of a developer's run an issuer in a container of another name.
        allow_http: configuration.environment == Environment::Development,
        url,
    })
}

/// What `check` warns of: foreign tokens that live longer than our own.
pub fn warnings(configuration: &Configuration) -> Vec<String> {
    let lifetime = access_token_lifetime(configuration);
    let section = configuration.file.gateway.clone().unwrap_or_default();
    section
        .issuer
        .iter()
        .flatten()
        .filter_map(|issuer| {
            let allowed = issuer.maximum_token_lifetime?.seconds();
            (allowed > lifetime).then(|| {
                format!(
                    "gateway.issuer {}: maximum_token_lifetime is {} minutes, above access_token_lifetime's {}",
                    issuer.url.as_deref().unwrap_or_default(),
                    allowed / 60,
                    lifetime / 60
                )
            })
        })
        .collect()
}
