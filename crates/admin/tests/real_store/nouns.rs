//! APIs, roles, applications and users, one by one, on a real store.

use crate::world::{NOW, World};
use admin::Error;
use admin::apis::{self, ApiChange, NewApi, NewScope, SigningAlg};
use admin::applications::{self, ApiAccess, ApplicationChange, Fresh as FreshApplication, NewApplication};
use admin::roles::{self, NewRole, Permission, RoleChange};
use admin::users::{self, Fresh as FreshUser, NewUser, Passwords, UserChange};
use oauth::client::{AuthMethod, ClientType, GrantType};
use oauth::one_time_secret::Digest;
use secrecy::{ExposeSecret, SecretString};

const API: &str = "https://api.example.com";

fn scope(name: &str) -> NewScope {
    NewScope { name: name.to_owned(), description: String::new() }
}

fn orders() -> NewApi {
    NewApi {
        identifier: API.to_owned(),
        scopes: vec![scope("read:orders"), scope("write:orders")],
        ..NewApi::default()
    }
}

fn may(scopes: &[&str]) -> ApiAccess {
    ApiAccess { api: API.to_owned(), scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect() }
}

fn allows(scopes: &[&str]) -> Permission {
    let ApiAccess { api, scopes } = may(scopes);
    Permission { api, scopes }
}

fn fresh(world: &mut World) -> FreshApplication {
    FreshApplication { id: world.draw(), secret: world.draw() }
}

async fn make_user(world: &mut World, user: &NewUser) -> Result<users::UserView, Error> {
    let [id, salt] = [world.draw(), world.draw()].map(|bytes| std::array::from_fn(|n| bytes[n]));
    let World { store, policy, memory, .. } = world;
    let mut passwords = Passwords { policy, service_name: "Example", memory };
    users::create(store, user, &mut passwords, NOW, FreshUser { id, salt }).await
}

fn alice() -> NewUser {
    NewUser {
        email: "Alice@Example.com".to_owned(),
        password: Some(SecretString::from("seven green turtles knitting")),
        roles: None,
        verified: false,
    }
}

#[tokio::test]
async fn an_api_is_made_shown_changed_and_deleted() {
    let world = World::new().await;
    let made = apis::create(&world.store, &orders(), NOW).await.unwrap();
    assert_eq!((made.name.as_str(), made.signing_alg.as_str(), made.token_lifetime), (API, "RS256", None));
    assert_eq!(apis::list(&world.store).await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(apis::show(&world.store, API).await.unwrap(), made);

    let again = apis::create(&world.store, &orders(), NOW).await.unwrap_err();
    assert_eq!(again.to_string(), "the api https://api.example.com exists already; change it with update");

    let change = ApiChange {
        add_scopes: vec![scope("refund:orders")],
        remove_scopes: vec!["write:orders".to_owned()],
        signing_alg: Some(SigningAlg::Es256),
        token_lifetime: Some(Some(900)),
        ..ApiChange::default()
    };
    let changed = apis::update(&world.store, API, &change, NOW).await.unwrap();
    let names: Vec<&str> = changed.scopes.iter().map(|scope| scope.name.as_str()).collect();
    assert_eq!(
        (names.as_slice(), changed.token_lifetime),
        (["read:orders", "refund:orders"].as_slice(), Some(900))
    );
    assert!(changed.warnings[0].contains("signs with RS256 alone today"));
    assert_eq!(apis::show(&world.store, API).await.unwrap(), changed);

    apis::delete(&world.store, API, NOW).await.unwrap();
    let gone = apis::delete(&world.store, API, NOW).await.unwrap_err();
    assert_eq!(gone.to_string(), "there is no api https://api.example.com");
}

#[tokio::test]
async fn an_api_that_breaks_a_rule_is_refused() {
    let world = World::new().await;
    for (api, why) in [
        (NewApi { identifier: "orders".into(), ..orders() }, "absolute URI"),
        (NewApi { scopes: vec![scope("a b")], ..orders() }, "printable ASCII"),
        (NewApi { scopes: vec![scope("a"), scope("a")], ..orders() }, "is there twice"),
        (NewApi { token_lifetime: Some(0), ..orders() }, "between 1s and 24h"),
        (NewApi { token_lifetime: Some(86_401), ..orders() }, "between 1s and 24h"),
    ] {
        let error = apis::create(&world.store, &api, NOW).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(apis::list(&world.store).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_unknown_scope_names_the_api_and_its_scopes() {
    let mut world = World::new().await;
    apis::create(&world.store, &orders(), NOW).await.unwrap();
    let role =
        NewRole { name: "user".into(), permissions: vec![allows(&["delete:orders"])], ..NewRole::default() };
    let text =
        "the api https://api.example.com has no scope delete:orders; it has: read:orders, write:orders";
    assert_eq!(roles::create(&world.store, &role, NOW).await.unwrap_err().to_string(), text);

    let machine = NewApplication {
        apis: vec![may(&["delete:orders"])],
        ..NewApplication::new("m", ClientType::NonInteractive)
    };
    let fresh = fresh(&mut world);
    assert_eq!(applications::create(&world.store, &machine, NOW, fresh).await.unwrap_err().to_string(), text);

    let elsewhere = Permission { api: "https://other.example.com".into(), scopes: vec!["x".into()] };
    let role = NewRole { permissions: vec![elsewhere], ..role };
    let error = roles::create(&world.store, &role, NOW).await.unwrap_err().to_string();
    assert_eq!(error, "there is no api https://other.example.com; there are: https://api.example.com");
}

#[tokio::test]
async fn a_role_is_made_shown_changed_and_deleted() {
    let world = World::new().await;
    apis::create(&world.store, &orders(), NOW).await.unwrap();
    let role = NewRole {
        name: "user".into(),
        default: true,
        permissions: vec![allows(&["write:orders", "read:orders"]), allows(&["read:orders"])],
        ..NewRole::default()
    };
    let made = roles::create(&world.store, &role, NOW).await.unwrap();
    assert_eq!(made.permissions, [allows(&["read:orders", "write:orders"])]);
    assert_eq!(roles::show(&world.store, "user").await.unwrap(), made);
    assert!(matches!(roles::create(&world.store, &role, NOW).await, Err(Error::Exists { kind: "role", .. })));

    let change =
        RoleChange { default: Some(false), remove: vec![allows(&["write:orders"])], ..RoleChange::default() };
    let changed = roles::update(&world.store, "user", &change, NOW).await.unwrap();
    assert_eq!(
        (changed.default, changed.permissions.as_slice()),
        (false, [allows(&["read:orders"])].as_slice())
    );
    assert_eq!(roles::list(&world.store).await.unwrap(), [changed]);

    roles::delete(&world.store, "user", NOW).await.unwrap();
    assert!(matches!(roles::show(&world.store, "user").await, Err(Error::Unknown { kind: "role", .. })));
    let nameless = NewRole { name: " user".into(), ..NewRole::default() };
    assert!(roles::create(&world.store, &nameless, NOW).await.is_err());
}

#[tokio::test]
async fn a_machine_gets_an_identifier_and_a_secret_that_is_shown_once() {
    let mut world = World::new().await;
    apis::create(&world.store, &orders(), NOW).await.unwrap();
    let machine = NewApplication {
        apis: vec![may(&["read:orders"])],
        ..NewApplication::new("worker", ClientType::NonInteractive)
    };
    let bytes = fresh(&mut world);
    let made = applications::create(&world.store, &machine, NOW, bytes).await.unwrap();
    let secret = made.client_secret.as_ref().unwrap().expose_secret().to_owned();
    let view = &made.application;
    assert_eq!((view.client_id.len(), secret.len()), (32, 43));
    assert!(view.client_id.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    assert_eq!(
        (view.grants.as_slice(), view.auth_method.as_str()),
        (["client_credentials".to_owned()].as_slice(), "client_secret_post")
    );

    let json = serde_json::to_value(&made).unwrap();
    assert_eq!((&json["client_secret"], &json["type"]), (&secret.as_str().into(), &"non_interactive".into()));
    assert!(!format!("{made:?}").contains(&secret));

    let (row, grants) = world.store.client(&view.client_id).await.unwrap().unwrap();
    assert_eq!(row.secret_digest.as_deref(), Some(Digest::of(&secret).as_bytes().as_slice()));
    assert_eq!(grants[0].scopes, ["read:orders"]);
    let shown = serde_json::to_string(&applications::show(&world.store, "worker").await.unwrap()).unwrap();
    assert!(!shown.contains("secret_digest") && !shown.contains(&secret));

    let drawn = world.draw();
    let rotated = applications::rotate_secret(&world.store, "worker", NOW, drawn).await.unwrap();
    assert_ne!(rotated.client_secret.expose_secret(), secret);
    let (row, _) = world.store.client(&rotated.client_id).await.unwrap().unwrap();
    let digest = Digest::of(rotated.client_secret.expose_secret());
    assert_eq!(row.secret_digest.as_deref(), Some(digest.as_bytes().as_slice()));
}

#[tokio::test]
async fn a_public_application_has_no_secret() {
    let mut world = World::new().await;
    let spa = NewApplication {
        callbacks: vec!["https://app.example.com/cb".into()],
        web_origins: vec!["https://app.example.com".into()],
        ..NewApplication::new("shop", ClientType::Spa)
    };
    let bytes = fresh(&mut world);
    let made = applications::create(&world.store, &spa, NOW, bytes).await.unwrap();
    assert!(made.client_secret.is_none());
    assert_eq!(serde_json::to_value(&made).unwrap()["client_secret"], serde_json::Value::Null);
    assert_eq!(made.application.auth_method, "none");
    assert_eq!(made.application.grants, ["authorization_code", "refresh_token"]);
    let drawn = world.draw();
    assert!(applications::rotate_secret(&world.store, "shop", NOW, drawn).await.is_err());
    let (row, _) = world.store.client(&made.application.client_id).await.unwrap().unwrap();
    assert_eq!(row.secret_digest, None);
}

#[tokio::test]
async fn an_application_that_breaks_a_rule_is_refused() {
    let mut world = World::new().await;
    apis::create(&world.store, &orders(), NOW).await.unwrap();
    let of = |kind| NewApplication::new("x", kind);
    let (spa, machine) = (ClientType::Spa, ClientType::NonInteractive);
    let short = Some(SecretString::from("too short"));
    for (application, why) in [
        (NewApplication::new(" ", spa), "must not be empty"),
        (NewApplication { callbacks: vec!["http://app.example.com".into()], ..of(spa) }, "must be https"),
        (NewApplication { logout_urls: vec!["/bye".into()], ..of(spa) }, "absolute URL"),
        (
            NewApplication { web_origins: vec!["https://app.example.com/".into()], ..of(spa) },
            "bare origin, https://app.example.com",
        ),
        (NewApplication { auth_method: Some(AuthMethod::ClientSecretPost), ..of(spa) }, "must be none"),
        (
            NewApplication { auth_method: Some(AuthMethod::None), ..of(machine) },
            "must be client_secret_post or",
        ),
        (NewApplication { grants: vec![GrantType::ClientCredentials], ..of(spa) }, "needs a secret"),
        (NewApplication { apis: vec![may(&["read:orders"])], ..of(spa) }, "may not use; add the grant"),
        (NewApplication { apis: vec![may(&[]), may(&[])], ..of(machine) }, "is there twice"),
        (NewApplication { client_secret: short, ..of(machine) }, "at least 32 characters"),
        (
            NewApplication { client_id: Some("usr_0123456789012345678901".into()), ..of(machine) },
            "not begin with usr_",
        ),
        (NewApplication { client_id: Some("x@clients".into()), ..of(machine) }, "letters, digits"),
        (NewApplication { client_id: Some("session".into()), ..of(machine) }, "not be session"),
    ] {
        let bytes = fresh(&mut world);
        let error =
            applications::create(&world.store, &application, NOW, bytes).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error} lacks {why}");
        assert!(!error.contains("too short"), "{error}");
    }
    assert!(applications::list(&world.store).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_application_is_changed_by_name_or_identifier_and_keeps_its_secret() {
    let mut world = World::new().await;
    apis::create(&world.store, &orders(), NOW).await.unwrap();
    let machine = NewApplication {
        apis: vec![may(&["read:orders"])],
        ..NewApplication::new("worker", ClientType::NonInteractive)
    };
    let bytes = fresh(&mut world);
    let made = applications::create(&world.store, &machine, NOW, bytes).await.unwrap().application;
    let bytes = fresh(&mut world);
    assert!(matches!(
        applications::create(&world.store, &machine, NOW, bytes).await,
        Err(Error::Exists { .. })
    ));
    let before = world.store.client(&made.client_id).await.unwrap().unwrap().0.secret_digest;

    let change = ApplicationChange {
        disabled: Some(true),
        apis: Some(vec![may(&["write:orders"])]),
        ..ApplicationChange::default()
    };
    let changed = applications::update(&world.store, "worker", &change, NOW + 5).await.unwrap();
    assert_eq!(
        (changed.disabled, changed.created_at, &changed.apis),
        (true, NOW, &vec![may(&["write:orders"])])
    );
    assert_eq!(applications::show(&world.store, &made.client_id).await.unwrap(), changed);
    assert_eq!(world.store.client(&made.client_id).await.unwrap().unwrap().0.secret_digest, before);

    let other = NewApplication::new("other", ClientType::Spa);
    let bytes = fresh(&mut world);
    applications::create(&world.store, &other, NOW, bytes).await.unwrap();
    let taken = ApplicationChange { name: Some("other".into()), ..ApplicationChange::default() };
    assert!(matches!(
        applications::update(&world.store, "worker", &taken, NOW).await,
        Err(Error::Exists { .. })
    ));

    applications::delete(&world.store, "worker", NOW).await.unwrap();
    let error = applications::show(&world.store, "worker").await.unwrap_err().to_string();
    assert_eq!(error, "there is no application worker; there are: other");
}

#[tokio::test]
async fn a_user_is_made_with_the_roles_of_every_new_user() {
    let mut world = World::new().await;
    apis::create(&world.store, &orders(), NOW).await.unwrap();
    for (name, default) in [("user", true), ("clerk", false)] {
        let role = NewRole {
            name: name.into(),
            default,
            permissions: vec![allows(&["read:orders"])],
            ..NewRole::default()
        };
        roles::create(&world.store, &role, NOW).await.unwrap();
    }
    let made = make_user(&mut world, &alice()).await.unwrap();
    assert_eq!(
        (made.roles.as_slice(), made.email.as_str(), made.has_password),
        (["user".to_owned()].as_slice(), "Alice@Example.com", true)
    );
    assert!(made.id.starts_with("usr_") && !made.verified && !made.blocked);
    let row = world.store.user(&made.id).await.unwrap().unwrap();
    let phc = row.password_hash.unwrap();
    let found = accounts::password::verify(
        &world.policy.argon2,
        &phc,
        b"seven green turtles knitting",
        &mut world.memory,
    );
    assert!(found.unwrap().matches);

    // The address is the login, in any case.
    assert_eq!(users::show(&world.store, "alice@example.com").await.unwrap(), made);
    assert_eq!(users::show(&world.store, &made.id).await.unwrap(), made);
    let again = NewUser { email: "ALICE@example.com".into(), ..alice() };
    assert!(matches!(make_user(&mut world, &again).await, Err(Error::Exists { kind: "user", .. })));

    let bob = NewUser {
        email: "bob@example.com".into(),
        password: None,
        roles: Some(vec!["clerk".into()]),
        verified: true,
    };
    let bob = make_user(&mut world, &bob).await.unwrap();
    assert_eq!(
        (bob.roles.as_slice(), bob.verified, bob.has_password),
        (["clerk".to_owned()].as_slice(), true, false)
    );
    assert_eq!(users::list(&world.store).await.unwrap().len(), 2);
    assert!(!serde_json::to_string(&users::list(&world.store).await.unwrap()).unwrap().contains("argon2"));
}

#[tokio::test]
async fn a_user_that_breaks_a_rule_is_refused() {
    let mut world = World::new().await;
    let with = |password: &str| NewUser { password: Some(SecretString::from(password)), ..alice() };
    for (user, why) in [
        (NewUser { email: "alice".into(), ..alice() }, "needs one @"),
        (NewUser { email: "al\u{131}ce@example.com".into(), ..alice() }, "outside ASCII"),
        (NewUser { roles: Some(vec!["nobody".into()]), ..alice() }, "there is no role nobody"),
        (with("short"), "use at least 15"),
        (with("alice@example.com"), "mostly your e-mail address"),
        (with("passwordpassword"), "repeats itself"),
    ] {
        let error = make_user(&mut world, &user).await.unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert!(users::list(&world.store).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_user_is_changed_and_deleted() {
    let mut world = World::new().await;
    roles::create(&world.store, &NewRole { name: "clerk".into(), ..NewRole::default() }, NOW).await.unwrap();
    let made = make_user(&mut world, &NewUser { verified: true, ..alice() }).await.unwrap();
    let moved = UserChange {
        email: Some("alice@example.org".into()),
        roles: Some(vec!["clerk".into()]),
        ..UserChange::default()
    };
    let moved = users::update(&world.store, &made.id, &moved, NOW + 1).await.unwrap();
    assert_eq!((moved.email.as_str(), moved.verified, moved.roles.len()), ("alice@example.org", false, 1));
    let blocked = UserChange { blocked: Some(true), ..UserChange::default() };
    assert!(users::update(&world.store, "alice@example.org", &blocked, NOW + 2).await.unwrap().blocked);

    let bob = make_user(&mut world, &NewUser { email: "bob@example.com".into(), ..alice() }).await.unwrap();
    let taken = UserChange { email: Some("Alice@example.org".into()), ..UserChange::default() };
    assert!(matches!(users::update(&world.store, &bob.id, &taken, NOW).await, Err(Error::Exists { .. })));

    let before = world.store.user(&bob.id).await.unwrap().unwrap();
    let World { store, policy, memory, .. } = &mut world;
    let mut passwords = Passwords { policy, service_name: "Example", memory };
    let weak = SecretString::from("bob");
    assert!(users::check_password(store, &bob.id, &weak, &passwords).await.is_err());
    assert!(users::set_password(store, &bob.id, &weak, &mut passwords, NOW + 3, [1; 16]).await.is_err());
    let new = SecretString::from("nine blue herons fishing");
    users::check_password(store, &bob.id, &new, &passwords).await.unwrap();
    let unchanged = store.user(&bob.id).await.unwrap().unwrap();
    assert_eq!(unchanged.password_hash, before.password_hash, "checking sets nothing");
    users::set_password(store, &bob.id, &new, &mut passwords, NOW + 3, [1; 16]).await.unwrap();
    let after = world.store.user(&bob.id).await.unwrap().unwrap();
    assert_ne!(before.password_hash, after.password_hash);
    assert!(after.not_before >= NOW + 3, "every session has ended");

    users::delete(&world.store, "bob@example.com", NOW).await.unwrap();
    assert!(matches!(users::show(&world.store, &bob.id).await, Err(Error::Unknown { kind: "user", .. })));
}
