//! From `[gateway]` to the gateway's settings.

use super::identity::{access_token_lifetime, has_issuer};
use super::policy::Policy;
use crate::config::raw::{GatewayMode, Issuer, Profile};
use crate::config::{ConfigError, Configuration, Environment};
use gateway::{ApiKeysConfig, Config, IssuerConfig, Jwks, Mode};
use std::path::Path;
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
        Some(jwks) => match key_set_file(jwks) {
            Some(path) => Jwks::File(configuration.path(Path::new(path))),
            None => Jwks::Url(jwks.parse().map_err(|error| {
                ConfigError::Invalid(format!("gateway.issuer {url}: jwks `{jwks}` is no address: {error}"))
            })?),
        },
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

/// What `check` and a start warn of.
pub fn warnings(configuration: &Configuration) -> Vec<String> {
    warnings_at(configuration, crate::clock::now())
}

fn warnings_at(configuration: &Configuration, now: i64) -> Vec<String> {
    let mut warnings = long_lived(configuration);
    warnings.extend(missing_key_sets(configuration));
    warnings.extend(sunset_that_passed(configuration, now));
    warnings
}

/// Foreign tokens that may live longer than our own.
fn long_lived(configuration: &Configuration) -> Vec<String> {
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

/// Key sets in files that cannot be read: the gateway starts all the same, and answers 503 until the file is there.
fn missing_key_sets(configuration: &Configuration) -> Vec<String> {
    let section = configuration.file.gateway.clone().unwrap_or_default();
    let unreadable = |issuer: &Issuer| {
        let path = configuration.path(Path::new(key_set_file(issuer.jwks.as_deref()?)?));
        let error = std::fs::File::open(&path).err()?;
        Some(format!(
            "gateway.issuer {}: jwks: cannot read {}: {error}; its tokens get 503 until the file is there",
            issuer.url.as_deref().unwrap_or_default(),
            path.display()
        ))
    };
    section.issuer.iter().flatten().filter_map(unreadable).collect()
}

/// `jwks`, where it is a path and no URL.
fn key_set_file(jwks: &str) -> Option<&str> {
    (!jwks.contains("://")).then_some(jwks)
}

/// What is to be done once `gateway.api_keys.sunset` lies behind `now` (Unix seconds).
pub fn sunset_that_passed(configuration: &Configuration, now: i64) -> Option<String> {
    let sunset = configuration.file.gateway.as_ref()?.api_keys.as_ref()?.sunset?.0;
    let since = std::time::UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(sunset).ok()?);
    let day = humantime::format_rfc3339_seconds(since).to_string();
    (now >= sunset).then(|| {
        format!(
            "gateway.api_keys: the sunset, {}, has passed, and every API key gets 401; remove the section, and let the \
             audit show that an old key is dead (audit.api_key_file)",
            day.get(..10).unwrap_or_default()
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Source;

    fn load(folder: &Path, text: &str) -> Configuration {
        let path = folder.join("portcullis.toml");
        std::fs::write(&path, text).unwrap();
        let source = Source {
            file: Some(&path),
            defaults: toml::Table::new(),
            folder,
            environment: &std::collections::BTreeMap::new(),
        };
        Configuration::load(&source).unwrap()
    }

    #[test]
    fn a_sunset_is_warned_of_from_its_first_second_on() {
        let folder = tempfile::tempdir().unwrap();
        let read = load(folder.path(), "[gateway.api_keys]\nsunset = 2027-07-01\n");
        let sunset = 1_814_400_000;
        assert_eq!(warnings_at(&read, sunset - 1), [""; 0]);
        let warned = warnings_at(&read, sunset).concat();
        for part in ["2027-07-01", "401", "remove the section", "audit.api_key_file"] {
            assert!(warned.contains(part), "{part} is missing from {warned}");
        }
        assert_eq!(warnings_at(&load(folder.path(), "[gateway.api_keys]\n"), sunset), [""; 0]);
    }

    #[test]
    fn a_key_set_is_missed_only_where_it_is_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let of =
            |jwks: &str| format!("[[gateway.issuer]]\nurl = \"https://idp.example/\"\njwks = \"{jwks}\"\n");
        assert_eq!(warnings_at(&load(folder.path(), &of("https://idp.example/jwks")), 0), [""; 0]);
        let read = load(folder.path(), &of("idp-keys.json"));
        let warned = warnings_at(&read, 0).concat();
        for part in ["https://idp.example/", "idp-keys.json", "503"] {
            assert!(warned.contains(part), "{part} is missing from {warned}");
        }
        std::fs::write(folder.path().join("idp-keys.json"), "{}").unwrap();
        assert_eq!(warnings_at(&read, 0), [""; 0]);
    }
}
