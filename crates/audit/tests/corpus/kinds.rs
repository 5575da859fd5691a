//! What is planted: each kind as its vendor documents it, in places where such keys are found. `@` is the key.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{BASE62, BASE64, Draw, HEX, UPPER, URL_SAFE};

pub struct Kind {
    pub id: &'static str,
    pub make: fn(&mut Draw) -> String,
    /// File name, line.
    pub places: &'static [(&'static str, &'static str)],
}

const fn kind(
    id: &'static str,
    make: fn(&mut Draw) -> String,
    places: &'static [(&'static str, &'static str)],
) -> Kind {
    Kind { id, make, places }
}

fn uuid(draw: &mut Draw) -> String {
    let mut part = |count| draw.of(HEX, count);
    format!("{}-{}-4{}-a{}-{}", part(8), part(4), part(3), part(3), part(12))
}

fn pem(draw: &mut Draw, name: &str, bytes: usize) -> String {
    let body = STANDARD.encode(draw.bytes(bytes));
    let lines: Vec<&str> =
        body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {name}-----\n{}\n-----END {name}-----", lines.join("\n"))
}

fn jwt(draw: &mut Draw) -> String {
    let header = URL_SAFE_NO_PAD.encode("{\"alg\":\"HS256\",\"typ\":\"JWT\"}");
    let payload = URL_SAFE_NO_PAD.encode(format!("{{\"sub\":\"{}\",\"role\":\"admin\"}}", draw.of(HEX, 12)));
    format!("{header}.{payload}.{}", draw.of(URL_SAFE, 43))
}

fn ours(draw: &mut Draw) -> String {
    let body = format!("pcl_prod_{}", draw.of(BASE62, 30));
    let mut rest = u32::MAX;
    for byte in body.bytes() {
        rest ^= u32::from(byte);
        for _ in 0..8 {
            rest = if rest & 1 == 1 { (rest >> 1) ^ 0xEDB8_8320 } else { rest >> 1 };
        }
    }
    let (mut sum, mut digits) = (!rest as usize, Vec::new());
    for _ in 0..6 {
        digits.push(BASE62.as_bytes()[sum % 62] as char);
        sum /= 62;
    }
    format!("{body}_{}", digits.iter().rev().collect::<String>())
}

/// As people choose them.
fn chosen(draw: &mut Draw) -> String {
    let word = draw.one(&["Falcon", "Harbour", "Winter", "Copper", "Lantern", "Meadow"]);
    format!(
        "{word}{}{}{}",
        draw.one(&["!", "#", "%", "_"]),
        10 + draw.below(9000),
        draw.of("abcdefghkmnpqrstuvwxyz", 2)
    )
}

pub const KINDS: &[Kind] = &[
    kind(
        "AWS access key id",
        |d| format!("AKIA{}", d.of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16)),
        &[
            (".env", "AWS_ACCESS_KEY_ID=@"),
            ("s3.py", "s3 = boto3.client('s3', aws_access_key_id='@')"),
            ("notes.md", "The uploader's key is @ (ask Ada)."),
        ],
    ),
    kind(
        "AWS secret access key",
        |d| d.of(BASE64, 40),
        &[
            (".env", "AWS_SECRET_ACCESS_KEY=@"),
            ("credentials", "aws_secret_access_key = @"),
            ("app.xml", "<add key=\"AwsSecretKey\" value=\"@\"/>"),
            ("deploy.ts", "const credentials = { secretAccessKey: \"@\" };"),
        ],
    ),
    kind(
        "Google API key",
        |d| format!("AIza{}", d.of(URL_SAFE, 35)),
        &[("maps.js", "loader.load({ key: '@' });"), ("config.yaml", "google_api_key: @")],
    ),
    kind(
        "Google OAuth client secret",
        |d| format!("GOCSPX-{}", d.of(URL_SAFE, 28)),
        &[
            ("client_secret.json", "{\"web\": {\"client_secret\": \"@\"}}"),
            ("auth.go", "conf.ClientSecret = \"@\""),
        ],
    ),
    kind(
        "Azure storage account key",
        |d| format!("{}==", d.of(BASE64, 86)),
        &[
            (
                "appsettings.json",
                "\"Storage\": \"DefaultEndpointsProtocol=https;AccountName=files;AccountKey=@;EndpointSuffix=core.windows.net\"",
            ),
            (".env", "AZURE_STORAGE_KEY=@"),
        ],
    ),
    kind(
        "Azure client secret",
        |d| format!("{}8Q~{}", d.of(BASE62, 3), d.of(URL_SAFE, 34)),
        &[("main.tf", "  client_secret = \"@\""), ("login.sh", "az login --service-principal -p \"@\"")],
    ),
    kind(
        "DigitalOcean token",
        |d| format!("dop_v1_{}", d.of(HEX, 64)),
        &[(".env", "DO_TOKEN=@"), ("ci.yml", "      token: @")],
    ),
    kind("Railway token", uuid, &[(".env", "RAILWAY_TOKEN=@"), ("deploy.sh", "export RAILWAY_TOKEN=\"@\"")]),
    kind("Heroku API key", uuid, &[(".env", "HEROKU_API_KEY=@"), ("netrc.py", "HEROKU_API_KEY = '@'")]),
    kind(
        "Cloudflare token",
        |d| d.of(URL_SAFE, 40),
        &[(".env", "CLOUDFLARE_API_TOKEN=@"), ("dns.tf", "  cloudflare_api_token = \"@\"")],
    ),
    kind(
        "GitHub token",
        |d| format!("ghp_{}", d.of(BASE62, 36)),
        &[
            (".npmrc", "//npm.pkg.github.com/:_authToken=@"),
            ("clone.sh", "git clone https://x-access-token:@@github.com/acme/api.git"),
            ("bot.js", "const octokit = new Octokit({ auth: '@' });"),
        ],
    ),
    kind(
        "GitHub fine-grained token",
        |d| format!("github_pat_{}_{}", d.of(BASE62, 22), d.of(BASE62, 59)),
        &[(".env", "GH_TOKEN=@"), ("release.rb", "client = Octokit::Client.new(access_token: \"@\")")],
    ),
    kind(
        "GitLab token",
        |d| format!("glpat-{}", d.of(URL_SAFE, 20)),
        &[
            (".gitlab-ci.yml", "  GITLAB_TOKEN: @"),
            ("fetch.sh", "curl -H 'PRIVATE-TOKEN: @' https://gitlab.com/api/v4/projects"),
        ],
    ),
    kind(
        "npm token",
        |d| format!("npm_{}", d.of(BASE62, 36)),
        &[(".npmrc", "//registry.npmjs.org/:_authToken=@"), ("Dockerfile", "ENV NPM_TOKEN=@")],
    ),
    kind(
        "PyPI token",
        |d| format!("pypi-AgEIcHlwaS5vcmc{}", d.of(URL_SAFE, 120)),
        &[(".pypirc", "password = @"), ("publish.yml", "        run: twine upload -u __token__ -p @ dist/*")],
    ),
    kind(
        "RubyGems key",
        |d| format!("rubygems_{}", d.of(HEX, 48)),
        &[("credentials.yml", ":rubygems_api_key: @")],
    ),
    kind(
        "Docker Hub token",
        |d| format!("dckr_pat_{}", d.of(URL_SAFE, 27)),
        &[("push.sh", "docker login -u acme -p @"), (".env", "DOCKER_TOKEN=@")],
    ),
    kind(
        "registry login",
        |d| STANDARD.encode(format!("deploy:{}", d.of(BASE62, 24))),
        &[("config.json", "{\"auths\": {\"registry.acme.io\": {\"auth\": \"@\"}}}")],
    ),
    kind(
        "Slack token",
        |d| format!("xoxb-{}-{}-{}", d.of("123456789", 12), d.of("123456789", 13), d.of(BASE62, 24)),
        &[(".env", "SLACK_BOT_TOKEN=@"), ("notify.py", "client = WebClient(token=\"@\")")],
    ),
    kind(
        "Slack webhook",
        |d| {
            format!(
                "https://hooks.slack.com/services/T{}/B{}/{}",
                d.of(UPPER, 10),
                d.of(UPPER, 10),
                d.of(BASE62, 24)
            )
        },
        &[("alert.yml", "  slack_url: @"), ("notify.sh", "curl -d '{\"text\":\"done\"}' @")],
    ),
    kind(
        "Stripe key",
        |d| format!("sk_live_{}", d.of(BASE62, 24)),
        &[
            (".env", "STRIPE_KEY=@"),
            ("pay.rb", "Stripe.api_key = '@'"),
            ("pay.js", "const stripe = require('stripe')('@');"),
        ],
    ),
    kind(
        "Stripe webhook secret",
        |d| format!("whsec_{}", d.of(BASE62, 32)),
        &[("hook.js", "const endpoint = '@';")],
    ),
    kind(
        "SendGrid key",
        |d| format!("SG.{}.{}", d.of(URL_SAFE, 22), d.of(URL_SAFE, 43)),
        &[(".env", "SENDGRID_API_KEY=@"), ("mail.go", "client := sendgrid.NewSendClient(\"@\")")],
    ),
    kind(
        "Twilio API key",
        |d| format!("SK{}", d.of(HEX, 32)),
        &[("sms.js", "const client = twilio('@', secret);")],
    ),
    kind(
        "Twilio auth token",
        |d| d.of(HEX, 32),
        &[(".env", "TWILIO_AUTH_TOKEN=@"), ("sms.py", "twilio_token = \"@\"")],
    ),
    kind("Mailgun key", |d| format!("key-{}", d.of(HEX, 32)), &[("mail.py", "auth=(\"api\", \"@\")")]),
    kind(
        "Mailchimp key",
        |d| format!("{}-us{}", d.of(HEX, 32), 1 + d.below(21)),
        &[("news.php", "$mc = new MailChimp('@');")],
    ),
    kind("Shopify token", |d| format!("shpat_{}", d.of(HEX, 32)), &[(".env", "SHOPIFY=@")]),
    kind(
        "Square token",
        |d| format!("sq0atp-{}", d.of(URL_SAFE, 22)),
        &[("pay.java", "client = new SquareClient(\"@\");")],
    ),
    kind(
        "OpenAI key",
        |d| format!("sk-proj-{}T3BlbkFJ{}", d.of(URL_SAFE, 58), d.of(URL_SAFE, 58)),
        &[(".env", "OPENAI_API_KEY=@"), ("ask.py", "client = OpenAI(api_key=\"@\")")],
    ),
    kind(
        "Anthropic key",
        |d| format!("sk-ant-api03-{}AA", d.of(URL_SAFE, 93)),
        &[(".env", "ANTHROPIC_API_KEY=@")],
    ),
    kind(
        "Hugging Face token",
        |d| format!("hf_{}", d.of(&BASE62[10..], 34)),
        &[("train.py", "login(\"@\")")],
    ),
    kind(
        "Telegram bot token",
        |d| format!("{}:AA{}", d.of("123456789", 10), d.of(URL_SAFE, 33)),
        &[("bot.py", "app = Application.builder().token('@').build()")],
    ),
    kind(
        "Discord webhook",
        |d| format!("https://discord.com/api/webhooks/{}/{}", d.of("123456789", 18), d.of(URL_SAFE, 68)),
        &[("ci.yml", "    url: @")],
    ),
    kind(
        "Linear key",
        |d| format!("lin_api_{}", d.of(BASE62, 40)),
        &[("sync.ts", "const linear = new LinearClient({ apiKey: '@' });")],
    ),
    kind(
        "Postman key",
        |d| format!("PMAK-{}-{}", d.of(HEX, 24), d.of(HEX, 34)),
        &[("newman.sh", "newman run --postman-api-key @")],
    ),
    kind("New Relic key", |d| format!("NRAK-{}", d.of(UPPER, 27)), &[("newrelic.yml", "  api_key: @")]),
    kind(
        "Datadog key",
        |d| d.of(HEX, 32),
        &[("datadog.yaml", "datadog_api_key: @"), (".env", "DD_API_KEY=@")],
    ),
    kind("Sentry token", |d| format!("sntryu_{}", d.of(HEX, 64)), &[(".sentryclirc", "token=@")]),
    kind(
        "Grafana token",
        |d| format!("glsa_{}_{}", d.of(BASE62, 32), d.of(HEX, 8)),
        &[("dash.sh", "curl -H \"Authorization: Bearer @\" https://grafana.acme.io/api/org")],
    ),
    kind("Vault token", |d| format!("hvs.{}", d.of(URL_SAFE, 95)), &[(".env", "VAULT_TOKEN=@")]),
    kind(
        "Terraform Cloud token",
        |d| format!("{}.atlasv1.{}", d.of(BASE62, 14), d.of(BASE62, 67)),
        &[("terraformrc", "  token = \"@\"")],
    ),
    kind("Databricks token", |d| format!("dapi{}", d.of(HEX, 32)), &[("job.py", "dbutils.connect('@')")]),
    kind(
        "age secret key",
        |d| format!("AGE-SECRET-KEY-1{}", d.of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58)),
        &[("keys.txt", "@")],
    ),
    kind(
        "Portcullis API key",
        ours,
        &[(".env", "PARTNER_KEY=@"), ("call.sh", "curl -H 'API-Key: @' https://api.acme.io/catalogue")],
    ),
    kind(
        "PostgreSQL URL",
        |d| format!("postgres://app:{}@db.internal:5432/app", d.of(BASE62, 20)),
        &[
            (".env", "DATABASE_URL=@"),
            ("db.ts", "const pool = new Pool({ connectionString: \"@\" });"),
            ("compose.yml", "      DATABASE_URL: @"),
        ],
    ),
    kind(
        "MongoDB URL",
        |d| format!("mongodb+srv://api:{}@cluster0.mongodb.net/shop", d.of(BASE62, 16)),
        &[("db.py", "client = MongoClient(\"@\")")],
    ),
    kind(
        "Redis URL",
        |d| format!("redis://:{}@cache.internal:6379/0", d.of(BASE62, 32)),
        &[("cache.yml", "url: @")],
    ),
    kind("RSA private key", |d| pem(d, "RSA PRIVATE KEY", 1192), &[("id_rsa", "@"), ("tls/key.pem", "@")]),
    kind("private key, PKCS 8", |d| pem(d, "PRIVATE KEY", 48), &[("signing.pem", "@")]),
    kind("private key, OpenSSH", |d| pem(d, "OPENSSH PRIVATE KEY", 290), &[("deploy_key", "@")]),
    kind(
        "private key in JSON",
        |d| pem(d, "PRIVATE KEY", 1218).replace('\n', "\\n"),
        &[("service-account.json", "  \"private_key\": \"@\\n\",")],
    ),
    kind("signed token", jwt, &[(".env", "SERVICE_JWT=@"), ("test.http", "Authorization: Bearer @")]),
    kind(
        "Auth0 client secret",
        |d| d.of(URL_SAFE, 64),
        &[
            (".env", "AUTH0_CLIENT_SECRET=@"),
            ("auth.json", "{\"domain\": \"acme.eu.auth0.com\", \"clientSecret\": \"@\"}"),
        ],
    ),
    kind(
        "session secret",
        |d| d.of(HEX, 64),
        &[
            (".env", "SESSION_SECRET=@"),
            ("server.js", "app.use(session({ secret: '@' }));"),
            ("settings.py", "SECRET_KEY = '@'"),
        ],
    ),
    kind(
        "API key of no vendor",
        |d| d.of(BASE62, 32),
        &[
            ("config.toml", "api_key = \"@\""),
            ("Client.java", "private static final String API_KEY = \"@\";"),
            ("client.rs", "const API_TOKEN: &str = \"@\";"),
            ("values.yaml", "  apiToken: @"),
        ],
    ),
    kind(
        "bearer token",
        |d| d.of(URL_SAFE, 48),
        &[("call.sh", "curl -H 'Authorization: Bearer @' https://api.acme.io/v1")],
    ),
    kind(
        "basic authorization",
        |d| STANDARD.encode(format!("api:{}", d.of(BASE62, 20))),
        &[("call.py", "headers = {'Authorization': 'Basic @'}")],
    ),
    kind(
        "password drawn at random",
        |d| d.of(BASE62, 24),
        &[
            ("application.properties", "spring.datasource.password=@"),
            ("compose.yml", "      POSTGRES_PASSWORD: @"),
            ("appsettings.json", "\"Default\": \"Server=db;User Id=app;Password=@;\""),
            ("netrc", "machine api.acme.io login deploy password @"),
        ],
    ),
    kind(
        "password that a person chose",
        chosen,
        &[
            (".env", "DB_PASSWORD=@"),
            ("db.php", "$password = '@';"),
            ("settings.yml", "  password: \"@\""),
            ("login.sh", "curl -u admin:@ https://admin.acme.io/"),
        ],
    ),
    // What no scanner of lines is likely to see. It counts all the same.
    kind(
        "key in two pieces",
        |d| format!("{}\" + \"{}", d.of(UPPER, 6), d.of(UPPER, 10)),
        &[("hidden.js", "const k = \"AKIA@\";")],
    ),
    kind(
        "password in base64",
        |d| STANDARD.encode(d.of(BASE62, 18)),
        &[("secret.yaml", "data:\n  POSTGRES: @")],
    ),
    kind("key behind a name that says nothing", |d| d.of(BASE62, 32), &[("x.js", "const zeta = \"@\";")]),
    kind(
        "password made of words",
        |d| {
            format!(
                "{}{}",
                d.one(&["purple", "silent", "golden"]),
                d.one(&["elephant", "mountain", "harvest"])
            )
        },
        &[("pw.py", "password = \"@\"")],
    ),
];
