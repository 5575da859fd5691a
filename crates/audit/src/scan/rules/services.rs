//! Services that a backend talks to, and Portcullis's own keys.

use super::Rule;
use crate::scan::shape;

pub(super) static RULES: &[Rule] = &[
    Rule::form(
        "portcullis-api-key",
        "API key of Portcullis",
        &["pcl_"],
        r"(?:^|[^A-Za-z0-9_])(pcl_[a-z]{1,20}_[A-Za-z0-9]{30}_[A-Za-z0-9]{6})(?:[^A-Za-z0-9_]|$)",
        "portcullis key delete NAME",
    )
    .check(|context| shape::sum_is_right(context.secret)),
    Rule::form(
        "slack-token",
        "Slack token",
        &["xoxb-", "xoxp-", "xoxa-", "xoxo-", "xoxr-", "xoxs-", "xoxe", "xapp-"],
        r"\b(xox[abopsr]-(?:\d[A-Za-z0-9]*-)+[A-Za-z0-9]{16,64}|xoxe(?:\.xox[bp])?-\d-[A-Za-z0-9]{100,300}|xapp-\d-[A-Z0-9]{8,12}-\d{10,14}-[a-f0-9]{64})\b",
        "Slack: your apps, OAuth and permissions",
    ),
    Rule::form(
        "slack-webhook",
        "Slack webhook",
        &["hooks.slack.com"],
        r"(hooks\.slack\.com/(?:services|workflows|triggers)/[A-Z0-9]{8,14}/[A-Za-z0-9]{8,20}/[A-Za-z0-9]{20,28})",
        "Slack: your apps, incoming webhooks",
    ),
    Rule::form(
        "stripe-key",
        "Stripe key",
        &["sk_live_", "rk_live_", "sk_test_", "rk_test_"],
        r"\b((?:sk|rk)_(?:live|test)_[A-Za-z0-9]{24,247})\b",
        "Stripe: developers, API keys, roll",
    ),
    Rule::form(
        "stripe-webhook-secret",
        "Stripe webhook secret",
        &["whsec_"],
        r"\b(whsec_[A-Za-z0-9+/]{32,64}={0,2})",
        "Stripe: developers, webhooks, roll secret",
    ),
    Rule::form(
        "sendgrid-key",
        "SendGrid key",
        &["sg."],
        r"\b(SG\.[\w\-]{22}\.[\w\-]{43})(?:[^\w\-]|$)",
        "SendGrid: settings, API keys",
    ),
    Rule::form(
        "twilio-api-key",
        "Twilio API key",
        &["sk"],
        r"(?:^|[^A-Za-z0-9])(SK[0-9a-f]{32})\b",
        "Twilio: API keys",
    )
    .entropy(3.0),
    Rule::near(
        "twilio-auth-token",
        "Twilio auth token",
        &["twilio"],
        r#"(?i)twilio[a-z0-9_.\-]{0,30}(?:token|secret|auth)["'\]]{0,2}\s{0,4}(?:=>|:=|=|:|,|>)\s{0,4}["'`]?([0-9a-f]{32})\b"#,
        "Twilio: account, auth token, rotate",
    )
    .entropy(3.0),
    Rule::form(
        "mailgun-key",
        "Mailgun key",
        &["key-"],
        r"\b(key-[0-9a-f]{32})\b",
        "Mailgun: API security",
    )
    .entropy(3.0),
    Rule::form(
        "mailchimp-key",
        "Mailchimp key",
        &["-us"],
        r"\b([0-9a-f]{32}-us[0-9]{1,2})\b",
        "Mailchimp: account, API keys",
    )
    .entropy(3.0),
    Rule::form(
        "brevo-key",
        "Brevo key",
        &["xkeysib-", "xsmtpsib-"],
        r"\b(x(?:key|smtp)sib-[a-f0-9]{64}-[A-Za-z0-9]{16})\b",
        "Brevo: SMTP and API",
    ),
    Rule::form(
        "resend-key",
        "Resend key",
        &["re_"],
        r"\b(re_[A-Za-z0-9]{8}_[A-Za-z0-9]{24})\b",
        "Resend: API keys",
    )
    .entropy(3.5),
    Rule::form(
        "shopify-token",
        "Shopify token",
        &["shpat_", "shpca_", "shppa_", "shpss_"],
        r"\b(shp(?:at|ca|pa|ss)_[0-9a-fA-F]{32})\b",
        "Shopify: apps, API credentials",
    ),
    Rule::form(
        "square-token",
        "Square token",
        &["sq0atp-", "sq0csp-", "eaaa"],
        r"\b(sq0(?:atp-[\w\-]{22}|csp-[\w\-]{43})|EAAA[A-Za-z0-9_\-]{60})(?:[^\w\-]|$)",
        "Square: developer dashboard, credentials",
    ),
    Rule::form(
        "openai-key",
        "OpenAI key",
        &["t3blbkfj"],
        r"\b(sk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_\-]{20,80}T3BlbkFJ[A-Za-z0-9_\-]{20,80})",
        "OpenAI: API keys",
    ),
    Rule::form(
        "anthropic-key",
        "Anthropic key",
        &["sk-ant-"],
        r"\b(sk-ant-(?:api|admin|oat)\d{2}-[\w\-]{80,110})",
        "Anthropic: console, API keys",
    ),
    Rule::form(
        "hugging-face-token",
        "Hugging Face token",
        &["hf_"],
        r"\b(hf_[A-Za-z0-9]{34,38})\b",
        "Hugging Face: settings, access tokens",
    )
    .entropy(3.5),
    Rule::form(
        "telegram-bot-token",
        "Telegram bot token",
        &[":aa"],
        r"(?:^|[^0-9])([0-9]{8,10}:AA[A-Za-z0-9_\-]{33})(?:[^A-Za-z0-9_\-]|$)",
        "Telegram: BotFather, /revoke",
    )
    .entropy(3.5),
    Rule::form(
        "discord-bot-token",
        "Discord bot token",
        &["discord", "bot_token", "bottoken", "client.login"],
        r"(?:^|[^\w\-.])([MNO][A-Za-z\d_\-]{23,27}\.[\w\-]{6}\.[\w\-]{27,38})(?:[^\w\-.]|$)",
        "Discord: developer portal, bot, reset token",
    ),
    Rule::form(
        "discord-webhook",
        "Discord webhook",
        &["/api/webhooks/"],
        r"(discord(?:app)?\.com/api/webhooks/\d{17,20}/[\w\-]{60,72})",
        "Discord: channel, integrations, delete the webhook",
    ),
    Rule::form(
        "teams-webhook",
        "Microsoft Teams webhook",
        &["webhook.office.com"],
        r"([a-z0-9\-]+\.webhook\.office\.com/webhookb2/[0-9a-f@\-]{36,80}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f\-]{36})",
        "Teams: channel, connectors",
    ),
    Rule::form(
        "age-secret-key",
        "age secret key",
        &["age-secret-key-1"],
        r"\b(AGE-SECRET-KEY-1[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})\b",
        "nobody can: make a new pair, encrypt again",
    ),
];
