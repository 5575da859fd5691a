//! Whole documents: what is read out of them, and how errors say where.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use policy::{CallerKind, OpenApi, Requirement, Table, normalise};

const LIBRARY_3_0: &str = include_str!("documents/library-3.0.yaml");
const LIBRARY_2_0: &str = include_str!("documents/library-2.0.json");

fn parse(text: &str) -> OpenApi {
    OpenApi::parse(text.as_bytes(), "openapi.yaml").unwrap()
}

fn problem(text: &str) -> String {
    OpenApi::parse(text.as_bytes(), "openapi.yaml").unwrap_err().to_string()
}

fn rules(text: &str) -> Vec<String> {
    let document = parse(text);
    document.rules().iter().map(|rule| format!("{}: {}", rule.endpoint(), rule.requirement)).collect()
}

#[test]
fn a_document_of_each_generation_gives_the_same_rules() {
    for text in [LIBRARY_3_0, LIBRARY_2_0] {
        let document = OpenApi::parse(text.as_bytes(), "library").unwrap();
        let count = |wanted: fn(&Requirement) -> bool| {
            document.rules().iter().filter(|rule| wanted(&rule.requirement)).count()
        };
        assert_eq!(document.rules().len(), 20);
        assert_eq!(count(|r| matches!(r, Requirement::Scopes { .. })), 7);
        assert_eq!(count(|r| matches!(r, Requirement::Denied { why } if why.contains("API key"))), 2);
        assert_eq!(count(|r| matches!(r, Requirement::Denied { why } if why.contains("no security"))), 11);
        assert!(document.rules().iter().all(|rule| rule.pattern.as_str().starts_with("/v2/")));
        for rule in document.rules() {
            if let Requirement::Scopes { alternatives } = &rule.requirement {
                assert_eq!(alternatives.len(), 1);
                assert_eq!(alternatives[0].caller, CallerKind::User);
                assert_eq!(alternatives[0].scopes.to_string(), "read:books write:books");
            }
        }
        let scopes: Vec<_> = document.scopes().iter().collect();
        assert_eq!(scopes.len(), 2);
        assert_eq!(scopes[0].0.as_str(), "read:books");
        assert_eq!(scopes[0].1.description, "read books");
        assert!(scopes.iter().all(|(_, used)| used.users && !used.clients));
        assert_eq!(document.path_examples()["DELETE /v2/book/{bookId}"]["bookId"], "7");
        assert!(Table::build(Some(&document), &[]).is_ok());
        assert!(document.unreachable().is_empty());
    }
}

const HEAD: &str = "
openapi: 3.1.0
security:
  - users: [read]
components:
  securitySchemes:
    users: {type: oauth2, flows: {authorizationCode: {scopes: {read: Read, unused: Not used}}}}
    machines: {type: oauth2, flows: {clientCredentials: {scopes: {run: Run}}}}
    referred: {$ref: '#/components/securitySchemes/users'}
    circle: {$ref: '#/components/securitySchemes/circle'}
  pathItems:
    shared:
      get: {}
      servers: [{url: /shared}]
  parameters:
    id: {name: id, in: path, examples: {first: {value: 12}, second: {value: 13}}}
paths:
";

#[test]
fn an_operations_security_goes_before_the_documents() {
    let text = format!(
        "{HEAD}  /a:\n    get: {{}}\n    put: {{security: [machines: [run]]}}\n    post: {{security: []}}\n    \
         patch: {{security: [{{}}]}}\n    delete: {{security: [{{referred: [read]}}, {{machines: [run]}}]}}\n"
    );
    assert_eq!(
        rules(&text),
        [
            "GET /a: scopes read (user)",
            "PUT /a: scopes run (client)",
            "POST /a: denied: its security is empty",
            "DELETE /a: scopes read (user) or run (client)",
            "PATCH /a: denied: its security grants nothing: an alternative is empty",
        ]
    );
    let document = parse(&text);
    let used: Vec<_> =
        document.scopes().iter().map(|(scope, used)| (scope.as_str(), used.users, used.clients)).collect();
    assert_eq!(used, [("read", true, false), ("run", false, true), ("unused", false, false)]);
}

#[test]
fn the_nearest_servers_count() {
    let text = format!(
        "{HEAD}  /a:\n    servers: [{{url: /path}}]\n    get: {{}}\n    put: {{servers: [{{url: 'https://x/op'}}, \
         {{url: /op2/}}]}}\n    post: {{servers: []}}\n  /b:\n    get: {{}}\n  /:\n    servers: [{{url: /root}}]\n    \
         get: {{}}\nservers:\n  - url: https://x/{{v}}\n    variables: {{v: {{default: v1}}}}\n"
    );
    let paths: Vec<_> = rules(&text).iter().map(|rule| rule.split(':').next().unwrap().to_owned()).collect();
    assert_eq!(paths, ["GET /path/a", "PUT /op/a", "PUT /op2/a", "POST /path/a", "GET /v1/b", "GET /root"]);
}

#[test]
fn references_are_followed_inside_the_document() {
    let text = format!(
        "{HEAD}  /a: {{$ref: '#/components/pathItems/shared'}}\n  /b: {{$ref: '#/paths/~1a', put: {{}}}}\n"
    );
    assert_eq!(
        rules(&text),
        [
            "GET /shared/a: scopes read (user)",
            "GET /shared/b: scopes read (user)",
            "PUT /shared/b: scopes read (user)"
        ]
    );
    for (reference, said) in [
        ("other.yaml#/x", "another file"),
        ("#/components/pathItems/none", "leads nowhere"),
        ("#/components/schemas/x", "does not begin with"),
        ("#/paths/~1a", "circle"),
    ] {
        let text = format!("{HEAD}  /a: {{$ref: '{reference}'}}\n");
        assert!(problem(&text).contains(said), "{}", problem(&text));
    }
}

#[test]
fn examples_of_path_parameters() {
    let text = format!(
        "{HEAD}  /a/{{id}}/{{x}}:\n    parameters:\n      - $ref: '#/components/parameters/id'\n      \
         - {{name: x, in: path, schema: {{default: d}}}}\n      - {{name: q, in: query, example: no}}\n    \
         get: {{}}\n    put: {{parameters: [{{name: id, in: path, example: true}}, \
         {{name: x, in: path, schema: {{enum: [e, f]}}}}]}}\n    \
         post: {{parameters: [{{name: x, in: path, schema: true}}]}}\n"
    );
    let examples = parse(&text).path_examples();
    let of = |endpoint: &str| {
        examples[endpoint].iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(of("GET /a/{id}/{x}"), "id=12 x=d");
    assert_eq!(of("PUT /a/{id}/{x}"), "id=true x=e");
    assert_eq!(of("POST /a/{id}/{x}"), "id=12 x=d");
}

#[test]
fn errors_name_file_line_and_operation() {
    let unknown_scope = format!(
        "{HEAD}  /a:\n    get: {{}}\n    put:\n      operationId: putA\n      security: [users: [write]]\n"
    );
    let line = unknown_scope.lines().position(|line| line.trim_start().starts_with("put:")).unwrap() + 1;
    assert_eq!(
        problem(&unknown_scope),
        format!(
            "openapi.yaml:{line}:5: PUT /a (putA): scope write is not among those of the security scheme \"users\""
        )
    );
    let unknown_scheme = format!("{HEAD}  /a:\n    get: {{security: [nobody: []]}}\n");
    assert!(problem(&unknown_scheme).contains("GET /a: there is no security scheme \"nobody\""));
    let circle = format!("{HEAD}  /a:\n    get: {{security: [circle: []]}}\n");
    assert!(problem(&circle).contains("refers to itself"), "{}", problem(&circle));
    let braces = format!("{HEAD}  /a/{{x:\n    get: {{}}\n");
    assert!(problem(&braces).contains("brace"), "{}", problem(&braces));
    let variable = format!("{HEAD}  /a:\n    get: {{servers: [{{url: '/{{v}}'}}]}}\n");
    assert!(problem(&variable).contains("without a default"), "{}", problem(&variable));
}

#[test]
fn what_cannot_be_read_says_where() {
    let yaml = OpenApi::parse(b"openapi: 3.0.0\npaths:\n  /a: [1\n", "x.yaml").unwrap_err();
    assert!(yaml.line.is_some() && yaml.column.is_some(), "{yaml}");
    let json = OpenApi::parse(b"{\"openapi\": \"3.0.0\",\n \"paths\": {\"/a\": 5}}", "x.json").unwrap_err();
    assert_eq!(json.line, Some(2), "{json}");
    let bytes = OpenApi::parse(b"openapi: 3.0.0\npaths: \xff", "x.yaml").unwrap_err();
    assert_eq!(bytes.line, Some(2), "{bytes}");
    assert!(OpenApi::parse(b"", "x.yaml").is_err());
    assert!(OpenApi::parse(b"[]", "x.yaml").is_err());
}

#[test]
fn a_path_that_stands_twice_is_an_error() {
    for text in [
        "{\"openapi\": \"3.0.0\", \"paths\": {\"/a\": {\"get\": {}}, \"/a\": {\"put\": {}}}}".to_owned(),
        format!("{HEAD}  /a: {{get: {{}}}}\n  /a: {{put: {{}}}}\n"),
        "{\"openapi\": \"3.0.0\", \"paths\": {\"/a\": {\"get\": {}, \"get\": {}}}}".to_owned(),
    ] {
        assert!(OpenApi::parse(text.as_bytes(), "x").is_err(), "{text}");
    }
}

#[test]
fn versions() {
    for good in [
        "openapi: 3.0.3",
        "openapi: '3.1'",
        "openapi: 3.1.1",
        "openapi: 3.2.0",
        "swagger: '2.0'",
        "swagger: 2.0",
    ] {
        assert!(OpenApi::parse(good.as_bytes(), "x").is_ok(), "{good}");
    }
    for bad in ["openapi: 4.0.0", "openapi: 3.10.0", "swagger: '1.2'", "info: {}", "openapi: '2.0'"] {
        assert!(OpenApi::parse(bad.as_bytes(), "x").is_err(), "{bad}");
    }
}

#[test]
fn what_is_not_used_may_be_wrong() {
    let text = format!(
        "{HEAD}  x-note: anything\n  /a:\n    x-y: 5\n    summary: [1]\n    get:\n      operationId: 5\n      \
         responses: {{200: {{description: 1}}, default: no}}\n      requestBody: nonsense\n"
    );
    assert_eq!(rules(&text), ["GET /a: scopes read (user)"]);
}

#[test]
fn a_path_that_no_request_reaches_is_told_and_never_open() {
    let text = format!("{HEAD}  /a/:\n    get: {{}}\n  /b?c=d:\n    get: {{}}\n  /e:\n    get: {{}}\n");
    let document = parse(&text);
    assert_eq!(document.rules().len(), 1);
    let told: Vec<_> = document.unreachable().iter().map(|one| one.operation.as_str()).collect();
    assert_eq!(told, ["GET /a/", "GET /b?c=d"]);
    assert!(normalise("/a/").is_err());
}
