"""A relying party with PyJWT: reads [{token, issuer, audience}, ...] from standard input and prints, for each,
{header, claims} or {error}. Keys come from the issuer's discovery document alone."""

import json
import sys
import urllib.request

import jwt


def verify(token, issuer, audience):
    with urllib.request.urlopen(f"{issuer}.well-known/openid-configuration") as answer:
        metadata = json.load(answer)
    key = jwt.PyJWKClient(metadata["jwks_uri"]).get_signing_key_from_jwt(token)
    claims = jwt.decode(
        token,
        key,
        algorithms=["RS256"],
        issuer=issuer,
        audience=audience,
        options={"require": ["exp", "iat", "sub", "aud", "iss", "jti"]},
    )
    return {"header": jwt.get_unverified_header(token), "claims": claims}


answers = []
for asked in json.load(sys.stdin):
    try:
        answers.append(verify(**asked))
    except jwt.PyJWTError as error:
        answers.append({"error": f"{type(error).__name__}: {error}"})
print(json.dumps(answers))
