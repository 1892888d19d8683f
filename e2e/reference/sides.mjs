// The servers that are compared, each with the same accounts, and the credentials with which they are asked.

let count = 0;

/** A name that no account has. */
export const fresh = (prefix) => `${prefix}${(count++).toString(36)}${Date.now().toString(36)}`.slice(0, 17);
export const post = (text) => ({ $type: "app.bsky.feed.post", text, createdAt: "2026-01-01T00:00:00.000Z" });

const PASSWORD = "a-long-password";
/** How long an answer may take, in milliseconds. */
const PATIENCE = 60_000;
const basic = (user, password) => ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` });
const bearer = (token) => ({ authorization: `Bearer ${token}` });

/** An answer: status, headers, body, and the body's JSON if it is some. */
export async function call(url, nsid, verb, { query = "", body, headers = {} } = {}) {
  const answer = await fetch(`${url}/xrpc/${nsid}${query}`, { method: verb, body, headers, signal: AbortSignal.timeout(PATIENCE) });
  const bytes = Buffer.from(await answer.arrayBuffer());
  let json;
  try {
    json = JSON.parse(bytes.toString());
  } catch {}
  return { status: answer.status, headers: answer.headers, json, bytes };
}

/** A procedure with JSON that must succeed. */
async function done(url, nsid, input, headers) {
  const body = input && JSON.stringify(input);
  const answer = await call(url, nsid, "POST", { body, headers: { ...(body && { "content-type": "application/json" }), ...headers } });
  if (answer.status !== 200) throw new Error(`${url}: ${nsid} answered ${answer.status} ${answer.bytes}`);
  return answer.json;
}

async function signUp(at, name) {
  const handle = `${fresh(name)}${at.domain}`;
  const email = `${handle.split(".")[0]}@mail.example.com`;
  const made = await done(at.url, "com.atproto.server.createAccount", { handle, email, password: PASSWORD });
  const account = { handle, email, password: PASSWORD, did: made.did, access: made.accessJwt, refresh: made.refreshJwt };
  const record = { repo: account.did, collection: "app.bsky.feed.post", record: post("hello") };
  const posted = await done(at.url, "com.atproto.repo.createRecord", record, bearer(account.access));
  return Object.assign(account, { uri: posted.uri, rkey: posted.uri.split("/").at(-1), cid: posted.cid });
}

/**
 * One side: accounts by name. `alice` asks, administrators change `bob`, `erin` switches her account off and on; `tina` is taken down, `dave`
 * deactivated, `dora` deleted.
 */
export async function side(name, url, adminPassword) {
  const { did, availableUserDomains } = (await call(url, "com.atproto.server.describeServer", "GET")).json;
  const at = { name, url, did, domain: availableUserDomains[0], adminPassword };
  for (const person of ["alice", "bob", "erin", "tina", "dave", "dora"]) at[person] = await signUp(at, person);
  const { alice, tina, dave, dora } = at;
  const admin = basic("admin", adminPassword);
  const uploaded = await call(url, "com.atproto.repo.uploadBlob", "POST", {
    body: "some bytes",
    headers: { ...bearer(alice.access), "content-type": "text/plain" },
  });
  alice.blob = uploaded.json.blob.ref.$link;
  const thing = { $type: "com.example.thing", blob: uploaded.json.blob };
  await done(url, "com.atproto.repo.createRecord", { repo: alice.did, collection: "com.example.thing", record: thing }, bearer(alice.access));
  alice.car = (await call(url, "com.atproto.sync.getRepo", "GET", { query: `?did=${alice.did}` })).bytes;
  for (const person of [alice, at.erin]) {
    for (const privileged of [false, true]) {
      const made = await done(url, "com.atproto.server.createAppPassword", { name: fresh("app"), privileged }, bearer(person.access));
      const login = { identifier: person.handle, password: made.password };
      person[privileged ? "privileged" : "app"] = (await done(url, "com.atproto.server.createSession", login)).accessJwt;
    }
  }
  await deactivate(at, dave);
  const subject = { $type: "com.atproto.admin.defs#repoRef", did: tina.did };
  await done(url, "com.atproto.admin.updateSubjectStatus", { subject, takedown: { applied: true } }, admin);
  const login = { identifier: tina.handle, password: PASSWORD, allowTakendown: true };
  tina.takendown = (await done(url, "com.atproto.server.createSession", login)).accessJwt;
  await done(url, "com.atproto.admin.deleteAccount", { did: dora.did }, admin);
  return at;
}

const deactivate = (at, account) => done(at.url, "com.atproto.server.deactivateAccount", {}, bearer(account.access));

/** A refresh token that was never used. */
async function refreshToken(at, account) {
  return (await done(at.url, "com.atproto.server.createSession", { identifier: account.handle, password: account.password })).refreshJwt;
}

/** A service token of the account, or none if its server makes no such token. */
async function service(at, account, aud, lxm) {
  const query = `?${new URLSearchParams({ aud, lxm })}`;
  const made = await call(at.url, "com.atproto.server.getServiceAuth", "GET", { query, headers: bearer(account.access) });
  return made.status === 200 ? bearer(made.json.token) : {};
}

/** Each credential by its name, made for one side, the account that asks and the method. */
export const CREDENTIALS = {
  none: () => ({}),
  "another scheme": () => ({ authorization: "Digest x" }),
  "no token": () => ({ authorization: "Bearer" }),
  garbage: () => bearer("garbage"),
  "not base64": () => bearer("a.b.c"),
  access: (_, account) => bearer(account.access),
  "an app password": (at, account) => bearer(account.app ?? at.alice.app),
  "a privileged app password": (at, account) => bearer(account.privileged ?? at.alice.privileged),
  refresh: async (at, account, nsid) => {
    const isUsedUp = /\.(refresh|delete)Session$/.test(nsid);
    return bearer(isUsedUp ? await refreshToken(at, account) : account.refresh);
  },
  "a taken-down account": (at) => bearer(at.tina.access),
  "a taken-down account that moves": (at) => bearer(at.tina.takendown),
  "a deactivated account": async (at) => {
    await deactivate(at, at.dave);
    return bearer(at.dave.access);
  },
  "a deleted account": (at) => bearer(at.dora.access),
  "a service": (at, account, nsid) => service(at, account, at.did, nsid),
  "a service for another method": (at, account) => service(at, account, at.did, "com.example.other"),
  "a service for another server": (at, account, nsid) => service(at, account, "did:web:other.example.com", nsid),
  admin: (at) => basic("admin", at.adminPassword),
  "wrong admin": () => basic("admin", "wrong"),
  "other user": (at) => basic("other", at.adminPassword),
};
