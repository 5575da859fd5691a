//! Where code lives and where packages come from.

use super::Rule;

pub(super) static RULES: &[Rule] = &[
    Rule::form(
        "github-token",
        "GitHub token",
        &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"],
        r"\b(gh[pousr]_[A-Za-z0-9]{36,251})\b",
        "GitHub: settings, developer settings, tokens",
    ),
    Rule::form(
        "github-fine-grained-token",
        "GitHub fine-grained token",
        &["github_pat_"],
        r"\b(github_pat_[A-Za-z0-9]{22}_[A-Za-z0-9]{59})\b",
        "GitHub: settings, developer settings, tokens",
    ),
    Rule::form(
        "gitlab-token",
        "GitLab token",
        &["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glimt-", "glagent-", "gloas-"],
        r"\b(gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas)-[0-9A-Za-z_\-]{20,300}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?)",
        "GitLab: preferences or project settings, access tokens",
    ),
    Rule::form(
        "bitbucket-token",
        "Atlassian or Bitbucket token",
        &["atatt3", "atbb", "atctt3"],
        r"\b(AT(?:ATT3|CTT3)[A-Za-z0-9_\-=]{100,300}|ATBB[A-Za-z0-9]{32})",
        "Atlassian: account, security, API tokens",
    ),
    Rule::form(
        "npm-token",
        "npm token",
        &["npm_"],
        r"\b(npm_[A-Za-z0-9]{36})\b",
        "npm: access tokens",
    ),
    Rule::form(
        "pypi-token",
        "PyPI token",
        &["pypi-age"],
        r"\b(pypi-AgE[A-Za-z0-9_\-]{60,500})",
        "PyPI: account settings, API tokens",
    ),
    Rule::form(
        "rubygems-key",
        "RubyGems key",
        &["rubygems_"],
        r"\b(rubygems_[0-9a-f]{48})\b",
        "RubyGems: settings, API keys",
    ),
    Rule::form(
        "crates-io-token",
        "crates.io token",
        &["cio"],
        r"\b(cio[A-Za-z0-9]{32})\b",
        "crates.io: account settings, API tokens",
    )
    .entropy(3.5),
    Rule::form(
        "docker-token",
        "Docker Hub token",
        &["dckr_pat_", "dckr_oat_"],
        r"\b(dckr_(?:pat|oat)_[A-Za-z0-9_\-]{27,32})",
        "Docker Hub: account settings, personal access tokens",
    ),
    Rule::form(
        "nuget-key",
        "NuGet key",
        &["oy2"],
        r"\b(oy2[a-z0-9]{43})\b",
        "NuGet: API keys",
    ),
    Rule::form(
        "sentry-token",
        "Sentry token",
        &["sntrys_", "sntryu_"],
        r"\b(sntryu_[0-9a-f]{64}|sntrys_[A-Za-z0-9+/=_\-]{60,400})",
        "Sentry: settings, auth tokens",
    ),
    Rule::form(
        "grafana-token",
        "Grafana token",
        &["glsa_", "glc_"],
        r"\b(glsa_[A-Za-z0-9]{32}_[0-9a-fA-F]{8}|glc_[A-Za-z0-9+/]{32,400}={0,2})",
        "Grafana: service accounts, tokens",
    ),
    Rule::form(
        "new-relic-key",
        "New Relic key",
        &["nrak-", "nrii-", "nrra-", "nrjs-"],
        r"\b(NRAK-[A-Z0-9]{27}|NRII-[A-Za-z0-9_\-]{32}|NRRA-[0-9a-f]{42})",
        "New Relic: API keys",
    ),
    Rule::near(
        "datadog-key",
        "Datadog key",
        &["datadog", "dd_api", "dd_app", "dd-api", "dd-app"],
        r#"(?i)(?:datadog|dd)[a-z0-9_.\-]{0,20}key["'\]]{0,2}\s{0,4}(?:=>|:=|=|:|,|>)\s{0,4}["'`]?([0-9a-f]{40}|[0-9a-f]{32})\b"#,
        "Datadog: organisation settings, keys",
    )
    .entropy(3.0),
    Rule::form(
        "postman-key",
        "Postman key",
        &["pmak-"],
        r"\b(PMAK-[0-9a-f]{24}-[0-9a-f]{34})\b",
        "Postman: settings, API keys",
    ),
    Rule::form(
        "linear-key",
        "Linear key",
        &["lin_api_", "lin_oauth_"],
        r"\b(lin_(?:api|oauth)_[A-Za-z0-9]{40,64})\b",
        "Linear: settings, API",
    ),
    Rule::form(
        "figma-token",
        "Figma token",
        &["figd_"],
        r"\b(figd_[A-Za-z0-9_\-]{38,50})",
        "Figma: settings, security",
    ),
    Rule::form(
        "notion-token",
        "Notion token",
        &["ntn_", "secret_"],
        r"\b(ntn_[A-Za-z0-9]{46}|secret_[A-Za-z0-9]{43})\b",
        "Notion: integrations",
    )
    .entropy(3.5),
];
