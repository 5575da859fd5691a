//! One test a sentence of "Rules at the gateway", as far as the sentence is a decision.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use policy::{
    Ambiguous, Caller, CallerKind, Denial, Lookup, OpenApi, OriginVerdict, Origins, Preflight, Requirement,
    RouteConfig, RouteProblem, ScopeSet, Table, TableError, TokenFacts, authorize, authorize_origin,
    normalise, preflight,
};

fn scoped(match_: &str, scope: &str) -> RouteConfig {
    RouteConfig { match_: match_.to_owned(), scopes: Some(vec![scope.to_owned()]), ..RouteConfig::default() }
}

fn public(match_: &str) -> RouteConfig {
    RouteConfig { match_: match_.to_owned(), public: Some("a reason".to_owned()), ..RouteConfig::default() }
}

/// A table in which every rule wants its own `match` without the space as its scope.
fn table(matches: &[&str]) -> Table {
    let routes: Vec<_> = matches.iter().map(|text| scoped(text, &text.replace(' ', ""))).collect();
    Table::build(None, &routes).unwrap()
}

fn errors(openapi: Option<&OpenApi>, routes: &[RouteConfig]) -> Vec<TableError> {
    Table::build(openapi, routes).unwrap_err()
}

fn found(table: &Table, method: &str, path: &str) -> String {
    match table.lookup(method, &normalise(path).unwrap()) {
        Lookup::Found(rule) => rule.endpoint(),
        Lookup::MethodNotListed => "method".to_owned(),
        Lookup::NotListed => "none".to_owned(),
    }
}

fn user(scopes: &str) -> Caller {
    Caller::from_token(&TokenFacts {
        sub: Some("usr_1"),
        client_id: Some("spa"),
        scope: Some(scopes),
        ..TokenFacts::default()
    })
}

fn client(scopes: &str) -> Caller {
    Caller::from_token(&TokenFacts {
        sub: Some("c@clients"),
        client_id: Some("c"),
        scope: Some(scopes),
        ..TokenFacts::default()
    })
}

fn status(table: &Table, method: &str, path: &str, caller: Option<&Caller>) -> u16 {
    match normalise(path) {
        Err(reason) => Denial::AmbiguousPath(reason).status(),
        Ok(path) => {
            authorize(table.lookup(method, &path), caller).map_or_else(|denial| denial.status(), |_| 200)
        }
    }
}

const DOCUMENT: &str = "
openapi: 3.0.3
servers: [{url: https://api.example.com/v1}]
components:
  securitySchemes:
    users: {type: oauth2, flows: {authorizationCode: {scopes: {read: '', write: ''}}}}
    machines: {type: oauth2, flows: {clientCredentials: {scopes: {run: ''}}}}
    both: {type: oauth2, flows: {clientCredentials: {scopes: {see: ''}}, password: {scopes: {see: ''}}}}
    oidc: {type: openIdConnect, openIdConnectUrl: 'https://x/.well-known/openid-configuration'}
    bearer: {type: http, scheme: bearer}
    key: {type: apiKey, in: header, name: API-Key}
paths:
  /orders:
    get: {security: [users: [read]]}
    post: {security: [users: [read, write]]}
    put: {security: [{users: [write]}, {machines: [run]}]}
    delete: {security: [machines: [run]]}
    patch: {security: [both: [see]]}
  /optional:
    get: {security: [{}, {users: [read]}]}
  /empty:
    get: {security: []}
    put: {security: [{}]}
    post: {security: [key: []]}
    patch: {}
    delete: {security: [bearer: []]}
  /and-key:
    get: {security: [{users: [read], key: []}]}
  /oidc:
    get: {security: [oidc: [profile]]}
";

fn document() -> OpenApi {
    OpenApi::parse(DOCUMENT.as_bytes(), "openapi.yaml").unwrap()
}

// Match.

#[test]
fn a_parameter_is_one_segment_and_a_rest_is_the_last() {
    let table = table(&["GET /a/{x}", "GET /files/{path...}"]);
    assert_eq!(found(&table, "GET", "/a/b"), "GET /a/{x}");
    assert_eq!(found(&table, "GET", "/a/b/c"), "none");
    assert_eq!(found(&table, "GET", "/a"), "none");
    assert_eq!(found(&table, "GET", "/files/b/c/d"), "GET /files/{path...}");
    assert_eq!(found(&table, "GET", "/files/b"), "GET /files/{path...}");
    assert_eq!(found(&table, "GET", "/files"), "none");
    assert!(Table::build(None, &[scoped("GET /files/{path...}/x", "s")]).is_err());
}

#[test]
fn the_most_literal_wins() {
    let table = table(&[
        "GET /{a}/{b}",
        "GET /users/{id}",
        "GET /users/me",
        "GET /users/{rest...}",
        "GET /{all...}",
        "GET /{x}/b/c",
        "GET /users/{y}/{z}",
        "GET /users/v{version}",
    ]);
    assert_eq!(found(&table, "GET", "/users/me"), "GET /users/me");
    assert_eq!(found(&table, "GET", "/users/7"), "GET /users/{id}");
    assert_eq!(found(&table, "GET", "/users/v7"), "GET /users/v{version}");
    assert_eq!(found(&table, "GET", "/users/7/b"), "GET /users/{y}/{z}");
    assert_eq!(found(&table, "GET", "/users/7/b/c"), "GET /users/{rest...}");
    assert_eq!(found(&table, "GET", "/orders/7"), "GET /{a}/{b}");
    assert_eq!(found(&table, "GET", "/orders"), "GET /{all...}");
    assert_eq!(found(&table, "GET", "/users/b/c"), "GET /{x}/b/c", "two literal segments against one");
}

#[test]
fn a_tie_is_an_error_that_names_both() {
    let errors = errors(None, &[scoped("GET /a/{x}/c", "s"), scoped("GET /a/b/{y}", "t")]);
    let [error @ TableError::Tie { endpoint, .. }] = errors.as_slice() else { panic!("{errors:?}") };
    assert_eq!(endpoint, "GET /a/b/c");
    let text = error.to_string();
    assert!(
        text.contains("GET /a/{x}/c") && text.contains("GET /a/b/{y}") && text.contains("gateway.route 2")
    );
    let head = [scoped("HEAD /a/{x}/c", "s"), scoped("GET /a/b/{y}", "t")];
    assert!(Table::build(None, &head).is_err(), "HEAD follows GET into the tie");
    let apart = [scoped("GET /a/{x}/c", "s"), scoped("POST /a/b/{y}", "t"), scoped("GET /a/{x}/d", "s")];
    assert!(Table::build(None, &apart).is_ok());
}

#[test]
fn a_rule_for_what_both_match_settles_a_tie() {
    let table = table(&["GET /a/{x}/c", "GET /a/b/{y}", "GET /a/b/c"]);
    assert_eq!(found(&table, "GET", "/a/b/c"), "GET /a/b/c");
    assert_eq!(found(&table, "GET", "/a/x/c"), "GET /a/{x}/c");
    assert_eq!(found(&table, "GET", "/a/b/x"), "GET /a/b/{y}");
}

#[test]
fn two_rules_for_one_endpoint_are_an_error_that_names_both() {
    let errors_ = errors(None, &[scoped("GET /a/{x}", "s"), scoped("GET /a/{y}", "t")]);
    let [error @ TableError::Double { .. }] = errors_.as_slice() else { panic!("{errors_:?}") };
    let text = error.to_string();
    assert!(text.contains("gateway.route 1") && text.contains("gateway.route 2"), "{text}");
    let doubled =
        OpenApi::parse(b"openapi: 3.0.0\npaths: {'/a/{x}': {get: {}}, '/a/{y}': {get: {}}}", "d.yaml")
            .unwrap();
    assert!(matches!(errors(Some(&doubled), &[])[..], [TableError::Double { .. }]));
    let twice = [public("GET /v1/empty"), public("GET /v1/empty")];
    assert!(matches!(errors(Some(&document()), &twice)[..], [TableError::Double { .. }]));
}

#[test]
fn a_servers_path_belongs_to_the_match() {
    let table = Table::build(Some(&document()), &[]).unwrap();
    assert_eq!(found(&table, "GET", "/v1/orders"), "GET /v1/orders");
    assert_eq!(found(&table, "GET", "/orders"), "none");
}

#[test]
fn head_follows_get() {
    let table = table(&["GET /a", "POST /b", "HEAD /c", "GET /c"]);
    assert_eq!(found(&table, "HEAD", "/a"), "GET /a");
    assert_eq!(found(&table, "HEAD", "/b"), "method");
    assert_eq!(found(&table, "HEAD", "/c"), "HEAD /c", "unless it has a rule of its own");
    assert_eq!(table.methods_of(&normalise("/a").unwrap()), ["GET", "HEAD"]);
}

#[test]
fn the_path_is_decoded_once_for_matching() {
    let table = table(&["GET /caf%C3%A9/{x}", "GET /admin"]);
    assert_eq!(found(&table, "GET", "/caf%c3%a9/a%20b"), "GET /caf%C3%A9/{x}");
    assert_eq!(found(&table, "GET", "/%61dmin"), "GET /admin");
    assert_eq!(normalise("/%2561dmin"), Err(Ambiguous::DoubleEncoding));
}

#[test]
fn ambiguous_paths_are_answered_400_whoever_asks() {
    let table = table(&["GET /{all...}", "GET /a"]);
    for path in [
        "/a/../b",
        "/a/%2e%2e/b",
        "/a/.%2e/b",
        "/./a",
        "//a",
        "/a//b",
        "/a/",
        "/a%2fb",
        "/a%5cb",
        "/a\\b",
        "/a%00",
        "/a%0d%0a",
        "/a%252fb",
        "/%c0%ae%c0%ae/a",
        "/\u{ff41}",
        "/%ef%bd%81",
        "/a/..;/b",
        "/a;v=1",
        "/a%3bv=1",
        "/%ff",
        "/a%",
        "*",
    ] {
        assert_eq!(status(&table, "GET", path, Some(&user("GET/{all...}"))), 400, "{path}");
        assert_eq!(status(&table, "GET", path, None), 400, "{path}");
    }
}

#[test]
fn what_is_matched_is_what_is_forwarded() {
    for (raw, forwarded) in
        [("/%61/b%20c?x=%2e%2e", "/a/b%20c?x=%2e%2e"), ("/caf\u{e9}", "/caf%C3%A9"), ("/a+b%2Bc", "/a+b%2Bc")]
    {
        let path = normalise(raw).unwrap();
        assert_eq!(path.target(), forwarded);
        let again = normalise(path.target()).unwrap();
        assert!(again.segments().eq(path.segments()));
    }
}

#[test]
fn a_spelling_that_only_a_backend_without_case_would_take_for_another_rule_is_not_listed() {
    let mut routes = vec![scoped("GET /users/{id}", "read"), scoped("GET /users/me", "self")];
    let table = Table::build(None, &routes).unwrap();
    assert_eq!(found(&table, "GET", "/users/me"), "GET /users/me");
    assert_eq!(found(&table, "GET", "/users/ME"), "none");
    assert_eq!(found(&table, "GET", "/users/Mel"), "GET /users/{id}");
    assert_eq!(found(&table, "GET", "/Users/7"), "none");
    routes[1] = scoped("GET /users/me", "read");
    let same = Table::build(None, &routes).unwrap();
    assert_eq!(found(&same, "GET", "/users/ME"), "GET /users/{id}", "the same is demanded either way");
    let mixed = self::table(&["GET /{name}", "GET /report.{format}"]);
    assert_eq!(found(&mixed, "GET", "/Report.json"), "none");
}

// Scopes.

#[test]
fn alternatives_are_or_and_members_are_and() {
    let table = Table::build(Some(&document()), &[]).unwrap();
    for (method, caller, expected) in [
        ("POST", user("read write"), 200),
        ("POST", user("read"), 403),
        ("POST", user("write"), 403),
        ("PUT", user("write"), 200),
        ("PUT", client("run"), 200),
        ("PUT", user("run"), 403),
        ("PUT", client("write"), 403),
    ] {
        assert_eq!(status(&table, method, "/v1/orders", Some(&caller)), expected, "{method} {caller:?}");
    }
}

#[test]
fn empty_alternatives_and_api_keys_grant_nothing() {
    let table = Table::build(Some(&document()), &[]).unwrap();
    let all = "read write run see profile";
    assert_eq!(status(&table, "GET", "/v1/optional", None), 401);
    assert_eq!(status(&table, "GET", "/v1/optional", Some(&user(""))), 403);
    assert_eq!(status(&table, "GET", "/v1/optional", Some(&user("read"))), 200);
    for method in ["GET", "PUT", "POST", "PATCH", "DELETE"] {
        assert_eq!(status(&table, method, "/v1/empty", None), 401, "{method}");
        assert_eq!(status(&table, method, "/v1/empty", Some(&user(all))), 403, "{method}");
        let key = Caller::from_api_key(None, ScopeSet::granted(all));
        assert_eq!(status(&table, method, "/v1/empty", Some(&key)), 403, "{method}");
    }
    assert_eq!(
        status(&table, "GET", "/v1/and-key", Some(&user(all))),
        403,
        "a key beside a token: neither is enough"
    );
}

#[test]
fn what_grants_nothing_is_denied_until_a_route_says_otherwise() {
    let mut scoped = scoped("POST /v1/empty", "write");
    scoped.replaces = true;
    let table = Table::build(Some(&document()), &[public("GET /v1/empty"), scoped]).unwrap();
    assert_eq!(status(&table, "GET", "/v1/empty", None), 200);
    assert_eq!(status(&table, "POST", "/v1/empty", Some(&user("write"))), 200);
    assert_eq!(status(&table, "PUT", "/v1/empty", Some(&user("write"))), 403);
    let denied = table.rules().find(|rule| rule.endpoint() == "PUT /v1/empty").unwrap();
    assert!(matches!(denied.requirement, Requirement::Denied { .. }));
    assert_eq!(
        table.rules().len(),
        document().rules().len(),
        "a route takes the place of the denied operation"
    );
}

#[test]
fn replaces_is_needed_where_openapi_has_a_rule() {
    let mut route = scoped("GET /v1/orders", "other");
    let found_errors = errors(Some(&document()), std::slice::from_ref(&route));
    assert!(matches!(
        &found_errors[..],
        [TableError::Route { problem: RouteProblem::NeedsReplaces { .. }, .. }]
    ));
    assert!(found_errors[0].to_string().contains("openapi.yaml"), "{}", found_errors[0]);
    route.replaces = true;
    let table = Table::build(Some(&document()), &[route]).unwrap();
    assert_eq!(status(&table, "GET", "/v1/orders", Some(&user("read"))), 403);
    assert_eq!(status(&table, "GET", "/v1/orders", Some(&user("other"))), 200);
}

#[test]
fn replacing_nothing_is_an_error() {
    let mut route = scoped("GET /orders", "other");
    route.replaces = true;
    let errors = errors(Some(&document()), &[route]);
    assert!(matches!(&errors[..], [TableError::Route { problem: RouteProblem::ReplacesNothing, .. }]));
}

#[test]
fn a_rule_for_head_alone_changes_what_the_document_says_of_get() {
    let mut route = public("HEAD /v1/orders");
    assert!(Table::build(Some(&document()), std::slice::from_ref(&route)).is_err());
    route.replaces = true;
    let table = Table::build(Some(&document()), &[route]).unwrap();
    assert_eq!(status(&table, "HEAD", "/v1/orders", None), 200);
    assert_eq!(status(&table, "GET", "/v1/orders", None), 401);
}

#[test]
fn scopes_are_all_and_any_scopes_are_alternatives() {
    let all = RouteConfig { scopes: Some(vec!["a".into(), "b".into()]), ..scoped("GET /all", "") };
    let any = RouteConfig {
        any_scopes: Some(vec!["a".into(), "b".into()]),
        scopes: None,
        ..scoped("GET /any", "")
    };
    let table = Table::build(None, &[all, any]).unwrap();
    assert_eq!(status(&table, "GET", "/all", Some(&user("a"))), 403);
    assert_eq!(status(&table, "GET", "/all", Some(&user("b a"))), 200);
    assert_eq!(status(&table, "GET", "/any", Some(&user("b"))), 200);
    assert_eq!(status(&table, "GET", "/any", Some(&user("c"))), 403);
}

#[test]
fn a_route_says_exactly_one_thing() {
    let problem = |route: RouteConfig| match errors(None, &[route]).remove(0) {
        TableError::Route { problem, .. } => problem,
        other => panic!("{other}"),
    };
    let bare = |match_: &str| RouteConfig { match_: match_.to_owned(), ..RouteConfig::default() };
    assert_eq!(problem(bare("GET /a")), RouteProblem::NoRequirement);
    assert_eq!(problem(RouteConfig { public: Some(" ".into()), ..bare("GET /a") }), RouteProblem::NoReason);
    assert_eq!(problem(RouteConfig { scopes: Some(vec![]), ..bare("GET /a") }), RouteProblem::EmptyScopes);
    assert_eq!(
        problem(RouteConfig { any_scopes: Some(vec![]), ..bare("GET /a") }),
        RouteProblem::EmptyScopes
    );
    assert!(matches!(problem(scoped("GET /a", "a b")), RouteProblem::Scope(_)));
    assert_eq!(
        problem(RouteConfig { public: Some("r".into()), ..scoped("GET /a", "a") }),
        RouteProblem::ManyRequirements
    );
    assert_eq!(
        problem(RouteConfig { any_scopes: Some(vec!["b".into()]), ..scoped("GET /a", "a") }),
        RouteProblem::ManyRequirements
    );
    assert_eq!(
        problem(RouteConfig { caller: Some(CallerKind::User), ..public("GET /a") }),
        RouteProblem::CallerOfPublic
    );
    for match_ in ["", "GET", "/a", "GET /a /b", "GET  "] {
        assert_eq!(problem(scoped(match_, "a")), RouteProblem::Match, "{match_:?}");
    }
    assert!(matches!(problem(scoped("get /a", "a")), RouteProblem::Method(_)));
    assert!(matches!(problem(scoped("GET a", "a")), RouteProblem::Pattern(_)));
    assert!(matches!(problem(scoped("GET /a/", "a")), RouteProblem::Pattern(_)));
}

#[test]
fn the_configuration_has_the_contracts_names_and_no_others() {
    let route: RouteConfig = serde_json::from_str(
        r#"{"match": "POST /orders/{id}/refund", "scopes": ["refund:orders"], "caller": "user", "replaces": true}"#,
    )
    .unwrap();
    assert_eq!((route.caller, route.replaces), (Some(CallerKind::User), true));
    assert!(
        serde_json::from_str::<RouteConfig>(r#"{"match": "GET /", "public": "x", "scope": []}"#).is_err()
    );
    assert!(serde_json::from_str::<RouteConfig>(r#"{"public": "x"}"#).is_err());
    assert!(serde_json::from_str::<RouteConfig>(r#"{"match": "GET /", "caller": "users"}"#).is_err());
}

// Caller.

#[test]
fn only_client_credentials_is_client_only_others_is_user_both_is_any() {
    let table = Table::build(Some(&document()), &[]).unwrap();
    for (method, scope, by_user, by_client) in
        [("GET", "read", 200, 403), ("DELETE", "run", 403, 200), ("PATCH", "see", 200, 200)]
    {
        assert_eq!(status(&table, method, "/v1/orders", Some(&user(scope))), by_user, "{method}");
        assert_eq!(status(&table, method, "/v1/orders", Some(&client(scope))), by_client, "{method}");
    }
    assert_eq!(status(&table, "GET", "/v1/oidc", Some(&user("profile"))), 200);
    assert_eq!(status(&table, "GET", "/v1/oidc", Some(&client("profile"))), 403);
}

#[test]
fn a_routes_caller_overrides_and_is_inherited_otherwise() {
    let replace = |caller| RouteConfig { caller, replaces: true, ..scoped("DELETE /v1/empty", "x") };
    let inherited = Table::build(Some(&document()), &[replace(None)]).unwrap();
    assert_eq!(status(&inherited, "DELETE", "/v1/empty", Some(&user("x"))), 200);
    assert_eq!(status(&inherited, "DELETE", "/v1/empty", Some(&client("x"))), 403, "http bearer is user");
    let overridden = Table::build(Some(&document()), &[replace(Some(CallerKind::Client))]).unwrap();
    assert_eq!(status(&overridden, "DELETE", "/v1/empty", Some(&user("x"))), 403);
    assert_eq!(status(&overridden, "DELETE", "/v1/empty", Some(&client("x"))), 200);
    let fresh = Table::build(None, &[scoped("GET /x", "x")]).unwrap();
    assert_eq!(status(&fresh, "GET", "/x", Some(&user("x"))), 200);
    assert_eq!(status(&fresh, "GET", "/x", Some(&client("x"))), 200);
}

#[test]
fn no_users_id_can_look_like_a_clients() {
    let facts = TokenFacts {
        sub: Some("x@clients"),
        client_id: Some("spa"),
        scope: Some("read"),
        ..TokenFacts::default()
    };
    let table = Table::build(Some(&document()), &[]).unwrap();
    assert_eq!(status(&table, "GET", "/v1/orders", Some(&Caller::from_token(&facts))), 403);
}

// The table of situations.

#[test]
fn no_credentials_is_401_whether_the_route_is_listed_or_not() {
    let table = Table::build(Some(&document()), &[public("GET /health")]).unwrap();
    for (method, path) in [
        ("GET", "/v1/orders"),
        ("TRACE", "/v1/orders"),
        ("GET", "/nowhere"),
        ("GET", "/v1/empty"),
        ("POST", "/health"),
    ] {
        let path = normalise(path).unwrap();
        let denial = authorize(table.lookup(method, &path), None).unwrap_err();
        assert_eq!(denial, Denial::NoCredentials);
        assert_eq!(denial.www_authenticate().as_deref(), Some("Bearer"));
    }
}

#[test]
fn an_unlisted_route_is_403_and_an_unlisted_method_is_an_unlisted_route() {
    let table = Table::build(Some(&document()), &[public("GET /health")]).unwrap();
    for (method, path) in
        [("GET", "/nowhere"), ("TRACE", "/v1/orders"), ("POST", "/health"), ("get", "/v1/orders")]
    {
        assert_eq!(status(&table, method, path, Some(&user("read write"))), 403, "{method} {path}");
    }
    assert_eq!(Denial::NotListed.detail(), Denial::MethodNotListed.detail());
    assert_eq!(Denial::NotListed.www_authenticate(), None);
}

#[test]
fn an_unsafe_method_from_a_foreign_page_is_403_and_no_origin_passes() {
    let origins = Origins::parse(&["https://app.example.com".to_owned()], false).unwrap();
    for method in ["POST", "PUT", "PATCH", "DELETE", "X-ODD"] {
        assert_eq!(
            authorize_origin(method, &origins.judge(&["https://evil.example"])),
            Err(Denial::ForeignOrigin)
        );
        assert_eq!(authorize_origin(method, &origins.judge(&["null"])), Err(Denial::ForeignOrigin));
        assert_eq!(authorize_origin(method, &origins.judge(&["https://app.example.com"])), Ok(()));
        assert_eq!(authorize_origin(method, &origins.judge(&[])), Ok(()));
    }
    for method in ["GET", "HEAD", "OPTIONS"] {
        assert_eq!(authorize_origin(method, &origins.judge(&["https://evil.example"])), Ok(()));
    }
    assert_eq!(Denial::ForeignOrigin.status(), 403);
}

#[test]
fn a_missing_scope_or_the_wrong_caller_is_403_with_the_scopes_named() {
    let table = Table::build(Some(&document()), &[]).unwrap();
    let path = normalise("/v1/orders").unwrap();
    let refuse = |method, caller: &Caller| authorize(table.lookup(method, &path), Some(caller)).unwrap_err();
    let missing = refuse("POST", &user("read"));
    assert_eq!(
        missing.www_authenticate().as_deref(),
        Some("Bearer error=\"insufficient_scope\", scope=\"read write\"")
    );
    assert_eq!(missing.to_string(), "the token lacks the scope write");
    let wrong = refuse("DELETE", &user("run"));
    assert!(matches!(wrong, Denial::WrongCaller { wanted: CallerKind::Client, .. }));
    assert_eq!(
        wrong.www_authenticate().as_deref(),
        Some("Bearer error=\"insufficient_scope\", scope=\"run\"")
    );
    let nearest = refuse("PUT", &client("x"));
    assert_eq!(
        nearest.www_authenticate().as_deref(),
        Some("Bearer error=\"insufficient_scope\", scope=\"run\"")
    );
}

#[test]
fn a_public_route_needs_nobody_and_keeps_who_came() {
    let table = Table::build(None, &[public("GET /health")]).unwrap();
    let path = normalise("/health").unwrap();
    assert!(authorize(table.lookup("GET", &path), None).unwrap().caller().is_none());
    let user = user("a");
    let permit = authorize(table.lookup("GET", &path), Some(&user)).unwrap();
    assert_eq!(permit.caller(), Some(&user));
    assert_eq!(permit.rule().endpoint(), "GET /health");
}

// Small print.

#[test]
fn options_that_is_no_preflight_is_a_route_like_any_other() {
    let table = table(&["GET /a", "OPTIONS /b"]);
    assert_eq!(found(&table, "OPTIONS", "/a"), "method");
    assert_eq!(found(&table, "OPTIONS", "/b"), "OPTIONS /b");
    assert_eq!(status(&table, "OPTIONS", "/b", None), 401);
}

#[test]
fn preflights_are_answered_for_listed_methods_of_listed_paths_alone() {
    let table = Table::build(Some(&document()), &[]).unwrap();
    let origins = Origins::parse(&["https://app.example.com".to_owned()], false).unwrap();
    let ask = |origin: &[&str], path: &str, method: &str, headers: Option<&str>| {
        preflight(&table, &origins, origin, &normalise(path).unwrap(), method, headers)
    };
    let ours = ["https://app.example.com"];
    assert_eq!(
        ask(&ours, "/v1/orders", "POST", Some("Authorization, X-Thing")),
        Preflight::Allowed {
            allow_origin: "https://app.example.com".into(),
            allow_methods: "DELETE, GET, HEAD, PATCH, POST, PUT".into(),
            allow_headers: "authorization, content-type, x-thing".into(),
        }
    );
    assert!(matches!(ask(&ours, "/v1/orders", "HEAD", None), Preflight::Allowed { .. }));
    for (origin, path, method, headers) in [
        (&["https://evil.example"][..], "/v1/orders", "GET", None),
        (&["null"][..], "/v1/orders", "GET", None),
        (&[][..], "/v1/orders", "GET", None),
        (&["https://app.example.com", "https://app.example.com"][..], "/v1/orders", "GET", None),
        (&ours[..], "/v1/orders", "TRACE", None),
        (&ours[..], "/v1/orders", "*", None),
        (&ours[..], "/nowhere", "GET", None),
        (&ours[..], "/v1/orders", "GET", Some("*")),
        (&ours[..], "/v1/orders", "GET", Some("x-auth-subject")),
        (&ours[..], "/v1/orders", "GET", Some("X_Auth_Subject")),
        (&ours[..], "/v1/orders", "GET", Some("a b")),
    ] {
        assert!(
            matches!(ask(origin, path, method, headers), Preflight::Refused { .. }),
            "{origin:?} {path} {method}"
        );
    }
}

#[test]
fn two_origins_are_nobodys() {
    let origins = Origins::parse(&["https://app.example.com".to_owned()], false).unwrap();
    assert_eq!(
        origins.judge(&["https://app.example.com", "https://app.example.com"]),
        OriginVerdict::Foreign
    );
    assert_eq!(origins.judge(&["https://app.example.com https://app.example.com"]), OriginVerdict::Foreign);
    assert_eq!(origins.judge(&["https://app.example.com, https://evil.example"]), OriginVerdict::Foreign);
}

#[test]
fn who_may_use_which_scope() {
    let extra = RouteConfig { caller: Some(CallerKind::Client), ..scoped("GET /jobs", "read") };
    let table = Table::build(Some(&document()), &[extra]).unwrap();
    let used: Vec<_> = table
        .scopes()
        .iter()
        .map(|(scope, used)| format!("{scope} {} {}", used.users, used.clients))
        .collect();
    assert_eq!(
        used,
        ["profile true false", "read true true", "run false true", "see true true", "write true false"]
    );
}
