// A certified OpenID provider for tests. It logs in whoever the `login_hint` names, and asks nobody for consent.
//
// It prints its issuer once it listens, and ends when its standard input does.
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';
import Provider from 'oidc-provider';

// Nobody reads its chatter; of what goes wrong the test's log tells.
console.log = console.info = console.warn = () => {};

const algorithm = process.argv[2] ?? 'RS256';
const CLIENT = { id: 'insula', secret: 'a secret of the test client' };

const key = await exportJWK((await generateKeyPair(algorithm, { extractable: true })).privateKey);
Object.assign(key, { alg: algorithm, use: 'sig', kid: randomBytes(8).toString('hex') });

const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `http://127.0.0.1:${server.address().port}`;

// What is known of whoever logs in: `unverified-…` has an unverified address, `addressless-…` none.
const account = (login) => ({
  sub: login,
  ...(!login.startsWith('addressless') && {
    email: `${login}@example.test`,
    email_verified: !login.startsWith('unverified'),
  }),
  name: `${login[0].toUpperCase()}${login.slice(1)} Example`,
  preferred_username: login,
  picture: `https://pictures.example.test/${login}.png`,
});

const onlyInUserinfo = ['name', 'preferred_username', 'picture'];
const findAccount = (_, login) => ({
  accountId: login,
  claims: (use) => {
    const claims = account(login);
    if (use === 'id_token') onlyInUserinfo.forEach((name) => delete claims[name]);
    return claims;
  },
});

const client = { redirect_uris: ['https://replaced.example.test/callback'], id_token_signed_response_alg: algorithm };
const provider = new Provider(issuer, {
  clients: [
    { ...client, client_id: CLIENT.id, client_secret: CLIENT.secret, grant_types: ['authorization_code', 'refresh_token'] },
    { ...client, client_id: 'insula-public', token_endpoint_auth_method: 'none' },
  ],
  jwks: { keys: [key] },
  cookies: { keys: [randomBytes(16).toString('hex')] },
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: onlyInUserinfo },
  scopes: ['openid', 'offline_access'],
  conformIdTokenClaims: false,
  enabledJWA: { idTokenSigningAlgValues: [algorithm] },
  features: { devInteractions: { enabled: false }, userinfo: { enabled: true } },
  findAccount,
  interactions: { url: (_, interaction) => `/log-in/${interaction.uid}` },
  issueRefreshToken: async () => true,
  pkce: { required: () => true },
  // Consent is given to whatever is asked for.
  loadExistingGrant: async (ctx) => {
    const { client: { clientId }, session: { accountId } } = ctx.oidc;
    const grant = new provider.Grant({ clientId, accountId });
    grant.addOIDCScope([...ctx.oidc.requestParamScopes].join(' '));
    await grant.save();
    return grant;
  },
  renderError: (ctx, out) => { ctx.type = 'json'; ctx.body = out; },
});

provider.on('server_error', (_, error) => console.error(error));

// The servers under test listen on ports that nobody knows beforehand.
provider.Client.prototype.redirectUriAllowed = (uri) => uri.endsWith('/callback');

async function logIn(request, response) {
  const { params } = await provider.interactionDetails(request, response);
  const login = params.login_hint ?? 'ada';
  const result = login === 'refuse'
    ? { error: 'access_denied', error_description: 'The user said no' }
    : { login: { accountId: login } };
  await provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

// Signs any claims with the provider's key: those of a log-in, with changes; null takes a claim away.
async function sign(request, response) {
  let text = '';
  for await (const chunk of request) text += chunk;
  const { login, changes } = JSON.parse(text);
  const now = Math.floor(Date.now() / 1000);
  const claims = { ...account(login), iss: issuer, aud: CLIENT.id, iat: now, exp: now + 3600, ...changes };
  for (const name of Object.keys(claims)) if (claims[name] === null) delete claims[name];
  const token = await new SignJWT(claims).setProtectedHeader({ alg: algorithm, kid: key.kid }).sign(await importJWK(key, algorithm));
  response.end(JSON.stringify({ token }));
}

const answer = provider.callback();
server.on('request', (request, response) => {
  const failed = (error) => { response.statusCode = 500; response.end(String(error.stack)); };
  if (request.url.startsWith('/log-in/')) logIn(request, response).catch(failed);
  else if (request.url === '/sign') sign(request, response).catch(failed);
  else answer(request, response);
});

process.stdin.on('close', () => process.exit(0)).resume();
process.stdout.write(`${issuer}\n`);
