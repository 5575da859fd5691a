// A relying party with jose (npm): reads [{token, issuer, audience}, …] from standard input and prints, for each,
// {header, claims} or {error}. Keys come from the issuer's discovery document alone.
import { webcrypto } from 'node:crypto';

// Node 18 keeps it to itself.
globalThis.crypto ??= webcrypto;
const { createRemoteJWKSet, jwtVerify } = await import('jose');

let input = '';
for await (const chunk of process.stdin) input += chunk;

const answers = [];
for (const { token, issuer, audience } of JSON.parse(input)) {
  try {
    const discovery = await fetch(`${issuer}.well-known/openid-configuration`);
    const { jwks_uri } = await discovery.json();
    const { payload, protectedHeader } = await jwtVerify(token, createRemoteJWKSet(new URL(jwks_uri)), {
      issuer,
      audience,
      algorithms: ['RS256'],
      typ: 'at+jwt',
      requiredClaims: ['exp', 'iat', 'sub', 'client_id', 'jti'],
    });
    answers.push({ header: protectedHeader, claims: payload });
  } catch (error) {
    answers.push({ error: `${error.code ?? error.name}: ${error.message}` });
  }
}
console.log(JSON.stringify(answers));
