//! What is no secret: digests, identifiers, public keys, the samples of manuals, placeholders, references, words.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::{BASE62, BASE64, Draw, HEX, URL_SAFE};

/// Repetitions of each form, each drawn anew.
const TIMES: usize = 3;

pub fn files(draw: &mut Draw) -> Vec<(String, String)> {
    let mut files = Vec::new();
    for time in 0..TIMES {
        let mut add =
            |name: &str, lines: Vec<String>| files.push((format!("{time}/{name}"), lines.join("\n") + "\n"));
        add(
            "package-lock.json",
            (0..6).map(|_| format!("      \"integrity\": \"sha512-{}==\",", draw.of(BASE64, 86))).collect(),
        );
        add(
            "yarn.lock",
            (0..4)
                .map(|_| {
                    format!(
                        "  resolved \"https://registry.yarnpkg.com/debug/-/debug-4.4.3.tgz#{}\"",
                        draw.of(HEX, 40)
                    )
                })
                .collect(),
        );
        add("Cargo.lock", (0..6).map(|_| format!("checksum = \"{}\"", draw.of(HEX, 64))).collect());
        add(
            "go.sum",
            (0..4)
                .map(|_| format!("golang.org/x/net v0.{}.0 h1:{}=", draw.below(40), draw.of(BASE64, 43)))
                .collect(),
        );
        add(
            "poetry.lock",
            (0..4)
                .map(|_| {
                    format!("    {{file = \"attrs-26.1.0.whl\", hash = \"sha256:{}\"}},", draw.of(HEX, 64))
                })
                .collect(),
        );
        add(".terraform.lock.hcl", (0..3).map(|_| format!("    \"zh:{}\",", draw.of(HEX, 64))).collect());
        add(
            "Dockerfile",
            vec![
                format!("FROM debian@sha256:{}", draw.of(HEX, 64)),
                "ARG NPM_TOKEN".into(),
                "RUN --mount=type=secret,id=npm_token npm ci".into(),
            ],
        );
        add(
            "workflow.yml",
            vec![
                format!("      - uses: actions/checkout@{}", draw.of(HEX, 40)),
                "          token: ${{ secrets.GITHUB_TOKEN }}".into(),
                "          password: ${{ secrets.REGISTRY_PASSWORD }}".into(),
                "          AWS_SECRET_ACCESS_KEY: ${{ secrets.AWS_SECRET_ACCESS_KEY }}".into(),
            ],
        );
        add(
            "CHANGELOG.md",
            (0..4)
                .map(|_| {
                    format!(
                        "* fix the parser ([{}](https://git.acme.io/c/{}))",
                        draw.of(HEX, 7),
                        draw.of(HEX, 40)
                    )
                })
                .collect(),
        );
        add(
            "ids.json",
            (0..6)
                .map(|_| {
                    format!(
                        "  {{\"id\": \"{}-{}-4{}-8{}-{}\", \"tokenId\": \"{}\"}},",
                        draw.of(HEX, 8),
                        draw.of(HEX, 4),
                        draw.of(HEX, 3),
                        draw.of(HEX, 3),
                        draw.of(HEX, 12),
                        draw.of(HEX, 24)
                    )
                })
                .collect(),
        );
        add(
            "trace.log",
            (0..4).map(|_| format!("traceparent: 00-{}-{}-01", draw.of(HEX, 32), draw.of(HEX, 16))).collect(),
        );
        add(
            "index.html",
            vec![
                format!(
                    "<script src=\"/assets/index-{}.js\" integrity=\"sha384-{}\" crossorigin></script>",
                    draw.of(URL_SAFE, 8),
                    draw.of(BASE64, 64)
                ),
                format!(
                    "<img src=\"data:image/png;base64,iVBORw0KGgo{}\">",
                    STANDARD.encode(draw.bytes(600))
                ),
                format!("<script nonce=\"{}\">start()</script>", draw.of(BASE64, 24)),
            ],
        );
        add(
            "style.css",
            vec![format!(
                "@font-face {{ src: url(data:font/woff2;base64,d09GMg{}) }}",
                STANDARD.encode(draw.bytes(900))
            )],
        );
        add(
            "id_ed25519.pub",
            vec![format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{} ada@laptop", draw.of(BASE64, 43))],
        );
        add(
            "id_rsa.pub",
            vec![format!(
                "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ{} ada@laptop",
                STANDARD.encode(draw.bytes(380))
            )],
        );
        for name in ["PUBLIC KEY", "CERTIFICATE", "CERTIFICATE REQUEST", "PGP PUBLIC KEY BLOCK"] {
            let body = STANDARD.encode(draw.bytes(420));
            let lines: Vec<&str> =
                body.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
            add(
                &format!("{}.pem", name.to_lowercase().replace(' ', "-")),
                vec![format!("-----BEGIN {name}-----\n{}\n-----END {name}-----", lines.join("\n"))],
            );
        }
        add(
            "jwks.json",
            vec![format!(
                "{{\"keys\": [{{\"kty\": \"RSA\", \"kid\": \"{}\", \"e\": \"AQAB\", \"n\": \"{}\"}}]}}",
                draw.of(URL_SAFE, 22),
                URL_SAFE_NO_PAD.encode(draw.bytes(256))
            )],
        );
        add(
            "seed.sql",
            vec![
                format!("INSERT INTO users VALUES ('ada', '$2b$12${}');", draw.of(BASE62, 53)),
                format!(
                    "INSERT INTO users VALUES ('bob', '$argon2id$v=19$m=19456,t=2,p=1${}${}');",
                    draw.of(BASE62, 22),
                    draw.of(BASE62, 43)
                ),
                "CREATE ROLE app LOGIN PASSWORD NULL;".into(),
            ],
        );
        add(
            "public.env",
            vec![
                format!("STRIPE_PUBLISHABLE_KEY=pk_live_{}", draw.of(BASE62, 24)),
                format!(
                    "SENTRY_DSN=https://{}@o{}.ingest.sentry.io/{}",
                    draw.of(HEX, 32),
                    draw.below(90_000),
                    draw.below(900_000)
                ),
                "GA_MEASUREMENT_ID=G-4KXW2P0QRS".into(),
                format!("RELEASE_SHA={}", draw.of(HEX, 40)),
                format!("BUILD_HASH={}", draw.of(HEX, 64)),
                format!("AUTH0_CLIENT_ID={}", draw.of(BASE62, 32)),
                format!("COGNITO_POOL=eu-west-1_{}", draw.of(BASE62, 9)),
            ],
        );
        add(
            "broken-keys.txt",
            vec![
                format!("pcl_prod_{}_000000", draw.of(BASE62, 30)),
                format!("AKIA{}", draw.of(HEX, 6)),
                format!("ghp_{}", draw.of(BASE62, 9)),
                "sk_live_...".into(),
            ],
        );
        add(
            "snapshot.snap",
            (0..3)
                .map(|_| {
                    format!(
                        "exports[`renders 1`] = `<div class=\"css-{}\" id=\"r{}\">`;",
                        draw.of(HEX, 7),
                        draw.of(HEX, 5)
                    )
                })
                .collect(),
        );
        add(
            "api.har",
            vec![
                format!("\"etag\": \"W/\\\"{}\\\"\",", draw.of(BASE62, 27)),
                format!("\"cf-ray\": \"{}-FRA\",", draw.of(HEX, 16)),
            ],
        );
        add(
            "checksums.txt",
            vec![
                format!("{}  portcullis.tar.gz", draw.of(HEX, 64)),
                format!("MD5 (a.zip) = {}", draw.of(HEX, 32)),
            ],
        );
    }
    let fixed = |name: &str, lines: &[&str]| (name.to_owned(), lines.join("\n") + "\n");
    files.push(fixed(
        ".env.example",
        &[
            "AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE",
            "AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "DATABASE_URL=postgres://user:password@localhost:5432/app",
            "DB_PASSWORD=changeme",
            "API_KEY=your-api-key-here",
            "STRIPE_KEY=sk_live_xxxxxxxxxxxxxxxxxxxxxxxx",
            "JWT_SECRET=<generate with openssl rand -hex 32>",
            "SLACK_TOKEN=xoxb-your-token",
            "GITHUB_TOKEN=ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "SESSION_SECRET=replace_me",
            "SMTP_PASSWORD=",
            "SECRET_KEY=${SECRET_KEY}",
            "ENCRYPTION_KEY=00000000000000000000000000000000",
        ],
    ));
    files.push(fixed("jwt.md", &[
        "A token from jwt.io: eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c",
        "Send it as `Authorization: Bearer <token>`.", "curl -H \"Authorization: Bearer $TOKEN\" https://api.example.com",
        "curl -u \"$USER:$PASSWORD\" https://api.example.com", "The header is `X-Api-Key: YOUR_API_KEY`.",
    ]));
    files.push(fixed(
        "service.py",
        &[
            "password = os.environ[\"DB_PASSWORD\"]",
            "token = request.headers.get(\"authorization\", \"\").removeprefix(\"Bearer \")",
            "api_key = config.get(\"integrations.weather.api_key\")",
            "secret = vault.read(\"kv/data/backend/production\")[\"client_secret\"]",
            "password_field = \"password_confirmation\"",
            "TOKEN_URL = \"https://auth.example.com/oauth/token\"",
            "raise ValueError(\"password must have 12 characters\")",
            "secret_name = \"prod/backend/database\"",
            "def reset_password(token: str, new_password: str) -> None:",
            "token_type = \"urn:ietf:params:oauth:token-type:access_token\"",
            "client_secret_file = \"/run/secrets/client_secret\"",
            "KEY_PREFIX = \"session:\"",
            "hashed_password = bcrypt.hash(password)",
            "PASSWORD_RESET_TEMPLATE = \"mail/password-reset.html\"",
        ],
    ));
    files.push(fixed(
        "Login.tsx",
        &[
            "<input type=\"password\" name=\"password\" autoComplete=\"current-password\" />",
            "const [password, setPassword] = useState(\"\");",
            "const token = await getAccessTokenSilently({ audience });",
            "errors.password = t(\"errors.password.tooShort\");",
            "apiKey: import.meta.env.VITE_API_KEY,",
            "type Props = { accessToken: string; refreshToken?: string };",
            "headers: { Authorization: `Bearer ${accessToken}` },",
            "const secretKey = deriveKey(passphrase, salt);",
            "export const TOKEN_STORAGE_KEY = \"acme.auth.accessToken\";",
            "placeholder=\"sk_live_...\"",
        ],
    ));
    files.push(fixed(
        "deployment.yaml",
        &[
            "  - name: DB_PASSWORD",
            "    valueFrom: {secretKeyRef: {name: database-credentials, key: password}}",
            "  imagePullSecrets: [{name: registry-credentials}]",
            "  secretName: backend-tls-certificate",
            "  tokenSecretRef: cloudflare-api-token-secret",
            "  password: ENC[vault:kv/db#password]",
            "  serviceAccountToken: {path: token, expirationSeconds: 3600}",
        ],
    ));
    files.push(fixed("main.rs", &[
        "let token = tokens.access_token_of(&user)?;", "password: SecretString,", "const TOKEN_PATH: &str = \"/var/run/secrets/kubernetes.io/serviceaccount/token\";",
        "assert_eq!(answer.header(\"www-authenticate\"), Some(\"Bearer error=\\\"invalid_token\\\"\"));", "let secret = secrets.text(\"store.password\", file, reference)?;",
        "pub const TOKEN_ENDPOINT_AUTH_METHODS: [&str; 2] = [\"client_secret_basic\", \"client_secret_post\"];",
    ]));
    files.push(fixed(
        "translations.json",
        &[
            "\"password\": \"Passwort\",",
            "\"forgotPassword\": \"Passwort vergessen?\",",
            "\"tokenExpired\": \"Das Token ist abgelaufen.\",",
            "\"secretQuestion\": \"Geheimfrage\",",
        ],
    ));
    files.push(fixed(
        "compose.yml",
        &[
            "      POSTGRES_PASSWORD_FILE: /run/secrets/db_password",
            "      DATABASE_URL: postgres://app:${DB_PASSWORD}@db:5432/app",
            "      SPRING_DATASOURCE_PASSWORD: ${DB_PASSWORD:?missing}",
            "      url: https://username:password@example.com/",
            "      test: redis://localhost:6379/0",
        ],
    ));
    files
}
