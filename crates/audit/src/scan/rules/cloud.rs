//! Clouds and platforms.

use super::Rule;
use crate::scan::shape;

pub(super) static RULES: &[Rule] = &[
    Rule::form(
        "aws-access-key-id",
        "AWS access key id",
        &["akia", "asia", "abia", "acca"],
        r"(?:^|[^A-Za-z0-9+/])((?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16})(?:[^A-Za-z0-9+/=]|$)",
        "AWS: IAM, security credentials",
    ),
    Rule::near(
        "aws-secret-access-key",
        "AWS secret access key",
        &["aws", "secretaccesskey", "secret_access_key", "secret_key", "secretkey"],
        r#"(?i)(?:aws|secret_?access_?key|secret_?key)[a-z0-9_.\-]{0,40}["'\]]{0,2}\s{0,4}(?:=>|:=|=|:|,|>)\s{0,4}["'`]?([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)"#,
        "AWS: IAM, security credentials",
    )
    .entropy(4.0)
    .check(|context| !shape::is_hex(context.secret)),
    Rule::near(
        "aws-session-token",
        "AWS session token",
        &["session_token", "sessiontoken", "security-token"],
        r#"(?i)(?:session_?token|security-token)["']?\s{0,4}[=:]\s{0,4}["']?((?:FwoG|IQoJ|AgoJ|FQoD)[A-Za-z0-9/+=]{80,})"#,
        "AWS: it ends by itself within hours; revoke the role's sessions",
    )
    .reach(2048),
    Rule::form(
        "gcp-api-key",
        "Google API key",
        &["aiza"],
        r"(?:^|[^A-Za-z0-9_\-])(AIza[0-9A-Za-z_\-]{35})(?:[^A-Za-z0-9_\-]|$)",
        "Google Cloud: APIs and services, credentials",
    ),
    Rule::form(
        "gcp-oauth-client-secret",
        "Google OAuth client secret",
        &["gocspx-"],
        r"\b(GOCSPX-[A-Za-z0-9_\-]{28})(?:[^A-Za-z0-9_\-]|$)",
        "Google Cloud: APIs and services, credentials",
    ),
    Rule::form(
        "gcp-access-token",
        "Google access token",
        &["ya29."],
        r"\b(ya29\.[0-9A-Za-z_\-]{30,})",
        "Google: it ends by itself within an hour; revoke the grant",
    )
    .entropy(3.5),
    Rule::form(
        "azure-storage-key",
        "Azure storage account key",
        &["accountkey", "account_key", "storage_key", "sharedaccesskey", "storagekey"],
        r#"(?i)(?:account_?key|storage_?key|shared_?access_?key)["']?\s{0,4}[=:]\s{0,4}["']?([A-Za-z0-9+/]{86}==|[A-Za-z0-9+/]{43}=)(?:[^A-Za-z0-9+/=]|$)"#,
        "Azure: storage account, access keys, rotate",
    )
    .entropy(4.0),
    Rule::form(
        "azure-client-secret",
        "Azure (Entra) client secret",
        &["q~"],
        r"(?:^|[^A-Za-z0-9_~.\-])([A-Za-z0-9_~.\-]{3}[0-9]Q~[A-Za-z0-9_~.\-]{31,34})(?:[^A-Za-z0-9_~.\-]|$)",
        "Entra: app registrations, certificates and secrets",
    )
    .entropy(3.5),
    Rule::form(
        "digitalocean-token",
        "DigitalOcean token",
        &["dop_v1_", "doo_v1_", "dor_v1_"],
        r"\b(do[opr]_v1_[0-9a-f]{64})\b",
        "DigitalOcean: API, tokens",
    ),
    Rule::near(
        "railway-token",
        "Railway token",
        &["railway"],
        r#"(?i)railway[a-z0-9_.\-]{0,30}["'\]]{0,2}\s{0,4}(?:=>|:=|=|:|,|>)\s{0,4}["'`]?([0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})\b"#,
        "Railway: account or project settings, tokens",
    )
    .check(names_a_token),
    Rule::near(
        "heroku-api-key",
        "Heroku API key",
        &["heroku"],
        r#"(?i)heroku[a-z0-9_.\-]{0,30}["'\]]{0,2}\s{0,4}(?:=>|:=|=|:|,|>)\s{0,4}["'`]?((?:HRKU-)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})\b"#,
        "Heroku: account, API key, regenerate",
    )
    .check(names_a_token),
    Rule::near(
        "cloudflare-token",
        "Cloudflare API token",
        &["cloudflare", "cf_api", "cf_token"],
        r#"(?i)(?:cloudflare|cf)[a-z0-9_.\-]{0,12}(?:token|key)["'\]]{0,2}\s{0,4}(?:=>|:=|=|:|,|>)\s{0,4}["'`]?([A-Za-z0-9_\-]{37,40})(?:[^A-Za-z0-9_\-]|$)"#,
        "Cloudflare: profile, API tokens, roll",
    )
    .entropy(3.3),
    Rule::form(
        "netlify-token",
        "Netlify token",
        &["nfp_"],
        r"\b(nfp_[A-Za-z0-9]{36,40})\b",
        "Netlify: user settings, applications",
    ),
    Rule::form(
        "flyio-token",
        "Fly.io token",
        &["fo1_", "fm2_"],
        r"\b(fo1_[\w\-]{43}|fm2_[A-Za-z0-9+/]{100,}={0,3})",
        "Fly.io: tokens",
    ),
    Rule::form(
        "databricks-token",
        "Databricks token",
        &["dapi"],
        r"\b(dapi[0-9a-f]{32}(?:-\d)?)\b",
        "Databricks: user settings, access tokens",
    ),
    Rule::form(
        "vault-token",
        "Vault token",
        &["hvs.", "hvb."],
        r"\b(hv[sb]\.[\w\-]{24,300})",
        "Vault: vault token revoke",
    )
    .entropy(3.5),
    Rule::form(
        "terraform-cloud-token",
        "Terraform Cloud token",
        &["atlasv1."],
        r"\b([A-Za-z0-9]{14}\.atlasv1\.[\w\-=]{60,70})",
        "Terraform Cloud: user settings, tokens",
    ),
    Rule::form(
        "pulumi-token",
        "Pulumi token",
        &["pul-"],
        r"\b(pul-[a-f0-9]{40})\b",
        "Pulumi: access tokens",
    ),
    Rule::form(
        "doppler-token",
        "Doppler token",
        &["dp."],
        r"\b(dp\.(?:pt|st|ct|scim|audit|sa)\.(?:[a-z0-9_\-]{2,35}\.)?[A-Za-z0-9]{40,44})\b",
        "Doppler: access",
    ),
    Rule::form(
        "planetscale-secret",
        "PlanetScale secret",
        &["pscale_"],
        r"\b(pscale_(?:tkn|pw|oauth)_[\w=.\-]{32,64})",
        "PlanetScale: passwords, service tokens",
    ),
    Rule::form(
        "supabase-token",
        "Supabase token",
        &["sbp_", "sb_secret_"],
        r"\b(sbp_[a-f0-9]{40}|sb_secret_[\w\-]{31})",
        "Supabase: access tokens, API keys",
    ),
];

/// A project's id is a UUID too, and none.
fn names_a_token(context: &super::Context<'_>) -> bool {
    let matched = context.matched.to_ascii_lowercase();
    ["token", "key", "secret", "auth"].iter().any(|word| shape::contains(&matched, word.as_bytes()))
}
