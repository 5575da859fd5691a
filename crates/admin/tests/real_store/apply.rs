//! Declared state on a real store.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::world::{NOW, World};
use admin::apply::{Applied, Options, apply};
use admin::declared::Declared;
use admin::users::Passwords;
use admin::{Error, apis, applications, roles, users};
use oauth::one_time_secret::Digest;
use secrecy::ExposeSecret;

const FILE: &str = "\
apis:
  - identifier: https://api.example.com
    name: Orders
    scopes:
      - read:orders
      - { name: write:orders, description: change an order }
    token_lifetime: 15m
roles:
  - name: user
    default: true
    permissions:
      - { api: https://api.example.com, scopes: [read:orders] }
applications:
  - name: worker
    type: non_interactive
    apis:
      - { api: https://api.example.com, scopes: [write:orders, read:orders] }
  - name: shop
    type: spa
    callbacks: [https://app.example.com/cb]
    web_origins: [https://app.example.com]
users:
  - email: alice@example.com
    roles: [user]
    verified: true
    password_file: alice
";

const DO: Options = Options { dry_run: false, prune: false };
const LOOK: Options = Options { dry_run: true, prune: false };
const PRUNE: Options = Options { dry_run: false, prune: true };

fn secret_file(world: &World, name: &str, secret: &str) {
    let path = world.folder.path().join(name);
    let written = std::fs::write(&path, secret)
        .and_then(|()| std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)));
    assert!(written.is_ok());
}

async fn applied(world: &mut World, text: &str, options: Options) -> Result<Applied, Error> {
    let declared = Declared::parse(text, "state.yaml", world.folder.path())?;
    let mut drawn = 0_u8;
    let mut draw = move || {
        drawn += 1;
        std::array::from_fn(|n| drawn.wrapping_mul(17).wrapping_add(u8::try_from(n).unwrap_or(0)))
    };
    let World { store, policy, memory, .. } = world;
    let mut passwords = Passwords { policy, service_name: "Example", memory };
    apply(store, &declared, options, &mut passwords, NOW, &mut draw).await
}

fn lines(applied: &Applied) -> Vec<String> {
    applied.changes.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn everything_is_made_once_and_the_second_time_nothing() {
    let mut world = World::new().await;
    secret_file(&world, "alice", "seven green turtles knitting\n");
    let looked = applied(&mut world, FILE, LOOK).await.unwrap();
    assert!(looked.dry_run && looked.secrets.is_empty());
    assert!(apis::list(&world.store).await.unwrap().is_empty(), "a dry run writes nothing");

    let done = applied(&mut world, FILE, DO).await.unwrap();
    assert_eq!(
        lines(&done),
        [
            "+ api https://api.example.com",
            "+ role user",
            "+ app worker",
            "+ app shop",
            "+ user alice@example.com"
        ]
    );
    assert_eq!(lines(&done), lines(&looked));
    let [secret] = done.secrets.as_slice() else { panic!("one secret: {:?}", done.secrets) };
    let (row, _) = world.store.client(&secret.client_id).await.unwrap().unwrap();
    let digest = Digest::of(secret.client_secret.expose_secret());
    assert_eq!(
        (row.name.as_str(), row.secret_digest.as_deref()),
        ("worker", Some(digest.as_bytes().as_slice()))
    );
    let alice = users::show(&world.store, "alice@example.com").await.unwrap();
    assert!(alice.verified && alice.has_password && alice.roles == ["user"]);

    // The password file was for the beginning; it may be gone.
    std::fs::remove_file(world.folder.path().join("alice")).unwrap();
    let again = applied(&mut world, FILE, PRUNE).await.unwrap();
    assert!(again.changes.is_empty() && again.secrets.is_empty(), "{:?}", lines(&again));
    let json = serde_json::to_value(&done).unwrap();
    assert_eq!(
        json["changes"][0],
        serde_json::json!({"action": "add", "kind": "api", "name": "https://api.example.com", "details": []})
    );
    assert_eq!(json["secrets"][0]["client_secret"], secret.client_secret.expose_secret());
}

#[tokio::test]
async fn a_difference_is_told_in_words_and_written() {
    let mut world = World::new().await;
    secret_file(&world, "alice", "seven green turtles knitting");
    applied(&mut world, FILE, DO).await.unwrap();
    let text = FILE
        .replace("- read:orders\n", "- read:orders\n      - refund:orders\n")
        .replace("token_lifetime: 15m", "token_lifetime: 1h")
        .replace("scopes: [read:orders] }", "scopes: [read:orders, refund:orders] }")
        .replace("scopes: [write:orders, read:orders]", "scopes: [read:orders]")
        .replace("https://app.example.com/cb", "https://app.example.com/callback")
        .replace("    verified: true\n", "    blocked: true\n")
        .replace("roles: [user]", "roles: []");
    let done = applied(&mut world, &text, DO).await.unwrap();
    assert_eq!(
        lines(&done),
        [
            "~ api https://api.example.com: scopes +refund:orders, token_lifetime 900s -> 3600s",
            "~ role user: permissions +https://api.example.com=refund:orders",
            "~ app worker: apis -https://api.example.com=write:orders",
            "~ app shop: callbacks +https://app.example.com/callback -https://app.example.com/cb",
            "~ user alice@example.com: blocked no -> yes, roles -user",
        ]
    );
    assert!(applied(&mut world, &text, DO).await.unwrap().changes.is_empty());
    let alice = users::show(&world.store, "alice@example.com").await.unwrap();
    assert!(alice.blocked && alice.verified && alice.roles.is_empty(), "what is not declared is left alone");
    assert_eq!(applications::show(&world.store, "worker").await.unwrap().apis[0].scopes, ["read:orders"]);
}

#[tokio::test]
async fn prune_removes_what_a_declared_section_does_not_name_and_nothing_else() {
    let mut world = World::new().await;
    secret_file(&world, "alice", "seven green turtles knitting");
    applied(&mut world, FILE, DO).await.unwrap();
    let only = "roles: []\napplications: [{ name: shop, type: spa }]\nusers: []\n";
    let kept = applied(&mut world, only, DO).await.unwrap();
    let shop = "~ app shop: callbacks -https://app.example.com/cb, web_origins -https://app.example.com";
    assert_eq!(lines(&kept), [shop]);
    let pruned = applied(&mut world, only, PRUNE).await.unwrap();
    assert_eq!(lines(&pruned), ["- app worker", "- role user"]);
    assert!(roles::list(&world.store).await.unwrap().is_empty());
    assert_eq!(apis::list(&world.store).await.unwrap().len(), 1, "no apis section, so they are left alone");
    assert_eq!(users::list(&world.store).await.unwrap().len(), 1, "users are never pruned");
    assert_eq!(
        lines(&applied(&mut world, "apis: []", PRUNE).await.unwrap()),
        ["- api https://api.example.com"]
    );
    assert!(applied(&mut world, "", PRUNE).await.unwrap().changes.is_empty());
}

#[tokio::test]
async fn a_given_secret_and_identifier_are_used_and_a_new_secret_replaces_the_old() {
    let mut world = World::new().await;
    secret_file(&world, "worker", "0123456789abcdef0123456789abcdef\n");
    let text = "applications:\n  - { name: worker, type: non_interactive, client_id: audit, client_secret_file: worker }\n";
    let done = applied(&mut world, text, DO).await.unwrap();
    assert!(done.secrets.is_empty(), "a secret that was given is not shown");
    let digest = |secret: &str| Some(Digest::of(secret).as_bytes().to_vec());
    let row = world.store.client("audit").await.unwrap().unwrap().0;
    assert_eq!(row.secret_digest, digest("0123456789abcdef0123456789abcdef"));
    assert!(applied(&mut world, text, DO).await.unwrap().changes.is_empty());

    secret_file(&world, "worker", "another secret of thirty-two bytes");
    assert_eq!(lines(&applied(&mut world, text, DO).await.unwrap()), ["~ app worker: new secret"]);
    let row = world.store.client("audit").await.unwrap().unwrap().0;
    assert_eq!(row.secret_digest, digest("another secret of thirty-two bytes"));

    let renamed = text.replace("name: worker", "name: auditor");
    assert_eq!(
        lines(&applied(&mut world, &renamed, DO).await.unwrap()),
        ["~ app auditor: name worker -> auditor"]
    );
    let other = renamed.replace("client_id: audit", "client_id: audit2");
    let error = applied(&mut world, &other, DO).await.unwrap_err().to_string();
    assert!(error.contains("has the client_id audit, which cannot be changed"), "{error}");
}

#[tokio::test]
async fn what_is_wrong_is_told_with_its_place_and_nothing_is_written() {
    let mut world = World::new().await;
    secret_file(&world, "weak", "short");
    std::fs::write(world.folder.path().join("open"), "0123456789abcdef0123456789abcdef").unwrap();
    let api = "apis:\n  - identifier: https://api.example.com\n    scopes: [read]\n";
    for (text, why) in [
        ("api: []", "state.yaml:1:1: "),
        ("apis:\n  - identifier: https://api.example.com\n    scops: [read]\n", "state.yaml:3:5: "),
        ("apis:\n  - name: x\n", "identifier"),
        (
            "apis:\n  - identifier: orders\n",
            "state.yaml:2:17: api identifier orders: must be an absolute URI",
        ),
        ("apis:\n  - identifier: urn:a\n    token_lifetime: soon\n", "state.yaml:3:21: soon is no duration"),
        ("apis:\n  - identifier: urn:a\n    signing_alg: HS256\n", "must be RS256, ES256 or EdDSA"),
        ("apis:\n  - identifier: urn:a\n    scopes: [{ name: a, text: b }]\n", "state.yaml:3:"),
        (
            "apis:\n  - identifier: urn:a\n  - identifier: urn:a\n",
            "state.yaml:3:17: api urn:a: is declared twice",
        ),
        ("apis:\n  - identifier: urn:a\n    identifier: urn:b\n", "state.yaml:3:"),
        (
            "roles:\n  - name: user\n    permissions: [{ api: urn:a, scopes: [x] }]\n",
            "state.yaml:2:11: there is no api urn:a",
        ),
        (
            &format!(
                "{api}roles:\n  - name: user\n    permissions: [{{ api: \"https://api.example.com\", scopes: [write] }}]\n"
            ),
            "state.yaml:5:11: the api https://api.example.com has no scope write; it has: read",
        ),
        ("applications:\n  - { name: a, type: robot }\n", "state.yaml:2:"),
        ("applications:\n  - { name: a, type: spa, grants: [password] }\n", "state.yaml:2:"),
        ("applications:\n  - { name: a, type: spa, callbacks: [http://x.example] }\n", "state.yaml:2:"),
        (
            "applications:\n  - { name: a, type: non_interactive, client_secret_file: nowhere }\n",
            "nowhere: cannot be read",
        ),
        ("applications:\n  - { name: a, type: non_interactive, client_secret_file: open }\n", "chmod 600"),
        (
            &format!("{api}users:\n  - email: a@example.com\n    password_file: weak\n"),
            "state.yaml:5:12: the password has 5 characters",
        ),
        (
            &format!("{api}users:\n  - email: a@example.com\n    password_file: nowhere\n"),
            "nowhere: cannot be read",
        ),
        ("users:\n  - email: nobody\n", "state.yaml:2:12: the e-mail address needs one @"),
        ("users:\n  - email: a@example.com\n    roles: [clerk]\n", "state.yaml:2:12: there is no role clerk"),
        (
            "users:\n  - email: a@example.com\n  - email: A@example.com\n",
            "state.yaml:3:12: user a@example.com: is declared twice",
        ),
        ("users: [\n", "state.yaml:"),
    ] {
        let error = applied(&mut world, text, DO).await.unwrap_err().to_string();
        assert!(error.contains(why), "{text}\n{error}");
        assert!(!error.contains("0123456789"), "{error}");
    }
    assert!(apis::list(&world.store).await.unwrap().is_empty(), "not even what was right beside it");
}

#[tokio::test]
async fn several_files_are_one_declaration() {
    let mut world = World::new().await;
    let folder = world.folder.path().to_owned();
    let write = |name: &str, text: &str| std::fs::write(folder.join(name), text).map(|()| folder.join(name));
    let apis = write("apis.yaml", "apis: [{ identifier: \"urn:a\", scopes: [x] }]").unwrap();
    let roles =
        write("roles.yaml", "roles: [{ name: user, permissions: [{ api: \"urn:a\", scopes: [x] }] }]")
            .unwrap();
    let more = write("more.yaml", "roles: [{ name: user }]").unwrap();
    let together = Declared::read_files(&[roles.clone(), apis]).unwrap();
    let mut draw = || [1; 32];
    let World { store, policy, memory, .. } = &mut world;
    let mut passwords = Passwords { policy, service_name: "Example", memory };
    let done = apply(store, &together, DO, &mut passwords, NOW, &mut draw).await.unwrap();
    assert_eq!(lines(&done), ["+ api urn:a", "+ role user"]);
    let twice = Declared::read_files(&[roles, more]).unwrap();
    let error = apply(store, &twice, DO, &mut passwords, NOW, &mut draw).await.unwrap_err().to_string();
    assert!(error.contains("more.yaml:1:17: role user: is declared twice"), "{error}");
    assert!(Declared::read_file(Path::new("/nowhere.yaml")).is_err());
}

#[tokio::test]
async fn nodes_that_start_together_with_one_declaration_all_start() {
    let world = World::new().await;
    let applications: String =
        (0..6).map(|n| format!("  - name: worker-{n}\n    type: non_interactive\n")).collect();
    let text = format!("applications:\n{applications}");
    let declared = Declared::parse(&text, "state.yaml", world.folder.path()).unwrap();
    let node = async |seed: u8| {
        let (mut drawn, mut memory) = (seed, accounts::password::Memory::new());
        let mut draw = move || {
            drawn += 1;
            std::array::from_fn(|n| drawn.wrapping_mul(17).wrapping_add(u8::try_from(n).unwrap_or(0)))
        };
        let mut passwords = Passwords { policy: &world.policy, service_name: "Example", memory: &mut memory };
        apply(&world.store, &declared, DO, &mut passwords, NOW, &mut draw).await
    };
    let (one, other) = tokio::join!(node(0), node(100));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.changes.len() + other.changes.len(), 6, "each is made by one of them");
    assert_eq!(one.secrets.len() + other.secrets.len(), 6);
    assert_eq!(applications::list(&world.store).await.unwrap().len(), 6);
}
