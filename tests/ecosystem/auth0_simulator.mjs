// An Auth0 look-alike that nobody here wrote (@simulacrum/auth0-simulator), on a free loopback port over https, with the
// certificate of $HOME/.simulacrum/certs. It knows one user. Prints {"issuer": URL} when it listens.
// Its ECMAScript build does not find what it imports (0.11.4), its CommonJS one does.
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { once } from 'node:events';

const [audience, scope, email, password] = process.argv.slice(2);
const { simulation } = createRequire(import.meta.url)('@simulacrum/auth0-simulator');

// It takes a port and does not say which one it got, so a free one is looked for first.
const probe = createServer().listen(0, '127.0.0.1');
await once(probe, 'listening');
const { port } = probe.address();
probe.close();
await once(probe, 'close');

const log = console.log;
console.log = console.error;
const app = simulation({
  options: { clientID: 'audit', audience, scope },
  initialState: { users: [{ id: '1', name: 'Ada', email, password }] },
});
await app.listen(port);
log(JSON.stringify({ issuer: `https://localhost:${port}/` }));
