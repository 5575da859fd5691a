"""httpbin as a team in a hurry serves it: python careless_server.py KEY EMAIL PASSWORD.

Prints one line of JSON when it listens: {"port": N}. A static key opens everything, and so does any bearer token, for
nobody looks at its signature, its scopes or its end. The issuer gives tokens for ten years; the reset tells who has an
account, takes the link's host from the request, and its link works for ever.
"""

import base64
import json
import logging
import secrets
import sys
import time
from urllib.parse import parse_qsl

from httpbin import app
from waitress import create_server

KEY, EMAIL, PASSWORD = sys.argv[1:4]
users = {EMAIL: PASSWORD}
resets = {}
mails = []


def part(value):
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(text).rstrip(b"=").decode()


def token(subject, scope):
    now = int(time.time())
    claims = {"sub": subject, "aud": "https://api.example.com", "scope": scope, "iat": now, "exp": now + 315_360_000}
    signed = ".".join([part({"alg": "RS256", "typ": "at+jwt"}), part(claims), part(b"signature")])
    return {"access_token": signed, "token_type": "Bearer", "scope": scope}


def issuer(method, path, host, asked):
    email, password = str(asked.get("email", "")), str(asked.get("password", ""))
    if (method, path) == ("POST", "/oauth/token"):
        return 200, token("partner", str(asked.get("scope", "")))
    if (method, path) == ("GET", "/.well-known/jwks.json"):
        return 200, {"keys": []}
    if (method, path) == ("GET", "/mailbox"):
        return 200, mails
    if (method, path) == ("POST", "/users"):
        users[email] = password
        return 201, {"email": email}
    if (method, path) == ("POST", "/users/session"):
        if email not in users:
            return 404, {"title": "no such user"}
        return (200, token(email, str(asked.get("scope", "")))) if users[email] == password else (401, {"title": "wrong"})
    if (method, path) == ("POST", "/users/password-reset"):
        if email not in users:
            return 404, {"title": "no such user"}
        word = secrets.token_urlsafe(16)
        resets[word] = email
        mails.append({"to": email, "subject": "Reset", "text": f"http://{host}/reset?token={word}", "html": None})
        return 202, {}
    if (method, path) == ("PUT", "/users/password-reset"):
        users[resets.get(str(asked.get("token", "")), "nobody")] = password
        return 204, None
    return 200, {}


def in_a_hurry(environ, start_response):
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if path.startswith(("/users", "/oauth/", "/.well-known/", "/mailbox", "/reset")) and method != "OPTIONS":
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)).decode(errors="replace")
        try:
            asked = json.loads(body) if body.startswith("{") else dict(parse_qsl(body))
        except ValueError:
            asked = {}
        status, said = issuer(method, path, environ.get("HTTP_HOST", ""), asked)
        start_response(f"{status} said", [("Content-Type", "application/json")])
        return [b"" if said is None else json.dumps(said).encode()]
    let_in = environ.get("HTTP_API_KEY") == KEY or environ.get("HTTP_AUTHORIZATION", "").startswith("Bearer ")
    if let_in or method == "OPTIONS":
        return app(environ, start_response)
    start_response("401 who are you", [("Content-Type", "application/json")])
    return [b"{}"]


logging.disable(logging.WARNING)
server = create_server(in_a_hurry, host="127.0.0.1", port=0, threads=8, ident="httpbin")
print(json.dumps({"port": int(server.effective_port)}), flush=True)
server.run()
