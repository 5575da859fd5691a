// An issuer that nobody here wrote (oauth2-mock-server), on a free loopback port, with its `iss` ending in a slash as
// Auth0's does. A second port drives it: POST /token signs one, GET /fetches counts what was fetched of it.
// Prints one line of JSON when it listens: {"issuer": URL, "control": URL}.
import { createServer } from 'node:http';
import { once } from 'node:events';
import { OAuth2Issuer, OAuth2Server } from 'oauth2-mock-server';

const { issuer, service } = new OAuth2Server();
await issuer.keys.generate('RS256');
let newest = issuer.keys.toJSON()[0].kid;
const fetches = { jwks: 0, discovery: 0 };

const listen = async (handler) => {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${server.address().port}/`;
};

const front = await listen((request, response) => {
  if (request.url === '/jwks') fetches.jwks += 1;
  if (request.url === '/.well-known/openid-configuration') fetches.discovery += 1;
  service.requestHandler(request, response);
});
issuer.url = front;

async function sign({ header = {}, payload = {}, new_key = false, hidden_key = false }) {
  let signer = issuer;
  let kid = newest;
  if (new_key) {
    ({ kid } = await issuer.keys.generate('RS256'));
    newest = kid;
  }
  if (hidden_key) {
    // The same issuer's name, and a key that its key set never shows.
    signer = new OAuth2Issuer();
    signer.url = issuer.url;
    ({ kid } = await signer.keys.generate('RS256'));
  }
  return signer.buildToken({
    kid,
    expiresIn: 3600,
    scopesOrTransform: (tokenHeader, tokenPayload) => {
      Object.assign(tokenHeader, header);
      Object.assign(tokenPayload, payload);
    },
  });
}

const control = await listen(async (request, response) => {
  try {
    let body = '';
    for await (const chunk of request) body += chunk;
    const answer = request.url === '/fetches' ? fetches : { token: await sign(JSON.parse(body || '{}')) };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(answer));
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
});

console.log(JSON.stringify({ issuer: front, control }));
