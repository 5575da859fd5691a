# Read by the scripts that measure the issuer, after measure.sh: an installation with a store, an API, an application
# and users, made by `portcullis apply` as any other.
# shellcheck shell=bash

AUDIENCE=https://api.example.com
CLIENT=measuring-client
IDENTITY=http://127.0.0.1:$((PORT + 6))

# installation USERS: makes $WORK/portcullis.toml with all that belongs to it, and $WORK/secret, the application's.
installation() {
    local number
    say "an installation with $1 users"
    (
        umask 077
        cd "$WORK"
        head -c 32 /dev/urandom >kek
        head -c 24 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' >secret
        cat >portcullis.toml <<TOML
environment = "production"

[identity]
issuer = "$IDENTITY/"
listen = "127.0.0.1:$((PORT + 6))"
key_encryption_key_file = "kek"

[store]
url = "sqlcipher:store.db"

[gateway]
listen = "127.0.0.1:$((PORT + 7))"
upstream = "http://127.0.0.1:$PORT"
audience = "$AUDIENCE"

[[gateway.route]]
match = "GET /api/orders/{order}"
scopes = ["read:orders"]

[operations]
listen = "127.0.0.1:$((PORT + 8))"
TOML
        cat >declared.yaml <<YAML
apis:
  - identifier: $AUDIENCE
    name: Measured
    scopes: [session, "read:orders", "write:orders"]
roles:
  - name: customer
    permissions:
      - { api: $AUDIENCE, scopes: ["read:orders"] }
applications:
  - name: measuring
    client_id: $CLIENT
    type: non_interactive
    client_secret_file: secret
    apis:
      - { api: $AUDIENCE, scopes: [session, "read:orders", "write:orders"] }
users:
YAML
        for number in $(seq "$1"); do
            printf 'seven-lanterns-%s-violins' "$number" >"password-$number"
            printf '  - { email: "user-%s@example.com", roles: [customer], verified: true, password_file: password-%s }\n' \
                "$number" "$number" >>declared.yaml
        done
        "$PORTCULLIS" apply --config portcullis.toml declared.yaml >apply.out 2>apply.log ||
            { tail -5 apply.log >&2; exit 1; }
    ) || fail "the installation could not be made"
}

# The application's own token for the session API, from the server that runs.
client_token() {
    local answer
    answer=$(curl --silent --fail "$IDENTITY/oauth/token" --data grant_type=client_credentials --data scope=session \
        --data "client_id=$CLIENT" --data "audience=$AUDIENCE" --data-urlencode "client_secret@$WORK/secret") ||
        fail "the application gets no token"
    sed -n 's/.*"access_token":"\([^"]*\)".*/\1/p' <<<"$answer"
}

# begin_logins: what logins.lua asks for, and one login tried.
begin_logins() {
    export USERS=$1
    CLIENT_TOKEN=$(client_token)
    export CLIENT_TOKEN
    local answer
    answer=$(curl --silent --fail "$IDENTITY/users/session" --header "Authorization: Bearer $CLIENT_TOKEN" \
        --json '{"email":"user-1@example.com","password":"seven-lanterns-1-violins"}') || fail "a login does not succeed" # portcullis:allow of the bench's own users
    grep -q '"refresh_token":"..' <<<"$answer" || fail "a login gives no session"
    ! curl --silent --fail --output /dev/null "$IDENTITY/users/session" --header "Authorization: Bearer $CLIENT_TOKEN" \
        --json '{"email":"user-1@example.com","password":"seven-lanterns-2-violins"}' || fail "a wrong password logs in" # portcullis:allow nobody's password
}
