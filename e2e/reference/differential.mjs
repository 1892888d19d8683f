// Asks the product and the reference implementation the same questions and compares the answers: status, error name, messages about credentials, content
// type and the shape of JSON.
//
// Usage: differential.mjs '{"ours","plc","server","adminPassword","differences"?}'
// `ours` is the URL of the product, `server` the file that starts the reference, `plc` the PLC directory of both. Prints one JSON line:
// {"compared", "unexpected": [{"case","ours","theirs"}], "unused": [...]}, where `unused` are intended differences that were not seen.
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { METHODS, fresh, record } from "./cases.mjs";
import { DIFFERENCES } from "./differences.mjs";

const { ours, plc, server, adminPassword, only } = JSON.parse(process.argv[2]);

async function freePort() {
  const listener = createServer();
  await new Promise((done) => listener.listen(0, "127.0.0.1", done));
  const { port } = listener.address();
  await new Promise((done) => listener.close(done));
  return port;
}

async function startReference() {
  const [folder, port] = [await mkdtemp(join(tmpdir(), "aurora-reference-")), await freePort()];
  const env = {
    PATH: process.env.PATH,
    NODE_ENV: "production",
    PDS_PORT: port,
    PDS_HOSTNAME: "localhost",
    PDS_SERVICE_HANDLE_DOMAINS: ".test",
    PDS_DEV_MODE: "true",
    PDS_DISABLE_SSRF_PROTECTION: "true",
    PDS_ENABLE_DID_DOC_WITH_SESSION: "true",
    PDS_DATA_DIRECTORY: folder,
    PDS_BLOBSTORE_DISK_LOCATION: join(folder, "blobs"),
    // It refuses addresses as host names.
    PDS_DID_PLC_URL: plc.replace("127.0.0.1", "localhost"),
    PDS_INVITE_REQUIRED: "false",
    PDS_RATE_LIMITS_ENABLED: "false",
    PDS_JWT_SECRET: "a-secret-of-thirty-two-characters",
    PDS_ADMIN_PASSWORD: adminPassword,
    PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: "11".repeat(32),
  };
  const child = spawn(process.execPath, [server], { env, stdio: ["ignore", "ignore", "inherit"] });
  const url = `http://127.0.0.1:${port}`;
  for (let n = 0; n < 600; n++) {
    const up = await fetch(`${url}/xrpc/_health`).then((answer) => answer.ok, () => false);
    if (up) return { url, end: async () => { child.kill("SIGKILL"); await rm(folder, { recursive: true, force: true }); } };
    await new Promise((done) => setTimeout(done, 100));
  }
  child.kill("SIGKILL");
  throw new Error("the reference did not start within a minute");
}

/** The shape of a JSON value: keys and types, not values. */
function shape(value) {
  if (Array.isArray(value)) return value.length ? [shape(value[0])] : [];
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, shape(value[key])]));
}

async function call(url, nsid, verb, input, headers) {
  const query = new URLSearchParams();
  let body;
  if (verb === "GET") {
    for (const [name, value] of Object.entries(input ?? {})) {
      for (const one of Array.isArray(value) ? value : [value]) query.append(name, typeof one === "object" ? JSON.stringify(one) : String(one));
    }
  } else if (typeof input === "string") {
    body = input;
  } else if (input !== undefined) {
    body = JSON.stringify(input);
  }
  const type = body === undefined ? {} : { "content-type": "application/json" };
  const suffix = query.size ? `?${query}` : "";
  const answer = await fetch(`${url}/xrpc/${nsid}${suffix}`, { method: verb, body, headers: { ...type, ...headers } });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const kind = (answer.headers.get("content-type") ?? "").split(";")[0];
  let json;
  try {
    json = JSON.parse(bytes.toString());
  } catch {}
  return { status: answer.status, kind, json };
}

async function side(url) {
  const described = (await call(url, "com.atproto.server.describeServer", "GET")).json;
  const at = { url, domain: described.availableUserDomains[0] };
  for (const name of ["alice", "bob"]) {
    const handle = `${fresh(name)}${at.domain}`;
    const [email, password] = [`${handle.split(".")[0]}@mail.test`, "a-long-password"];
    const made = await call(url, "com.atproto.server.createAccount", "POST", { handle, email, password });
    if (made.status !== 200) throw new Error(`${url}: createAccount ${made.status} ${JSON.stringify(made.json)}`);
    at[name] = { handle, email, password, did: made.json.did, access: made.json.accessJwt, refresh: made.json.refreshJwt };
  }
  const { alice } = at;
  const uploaded = await fetch(`${url}/xrpc/com.atproto.repo.uploadBlob`, {
    method: "POST",
    body: "some bytes",
    headers: { authorization: `Bearer ${alice.access}`, "content-type": "text/plain" },
  });
  const { blob } = await uploaded.json();
  const withBlob = { $type: "com.example.thing", blob };
  const bearer = { authorization: `Bearer ${alice.access}` };
  await call(url, "com.atproto.repo.createRecord", "POST", { repo: alice.did, collection: "com.example.thing", record: withBlob }, bearer);
  const post = { repo: alice.did, collection: "app.bsky.feed.post", record: record("hello") };
  const posted = (await call(url, "com.atproto.repo.createRecord", "POST", post, bearer)).json;
  Object.assign(alice, { rkey: posted.uri.split("/").at(-1), cid: posted.cid, blob: blob.ref.$link });
  return at;
}

const basic = (user, password) => ({ authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` });
const bearer = (token) => ({ authorization: `Bearer ${token}` });

/** Each credential by name, made for one side. */
const CREDENTIALS = {
  none: () => ({}),
  garbage: () => bearer("garbage"),
  "not base64": () => bearer("a.b.c"),
  access: (at) => bearer(at.alice.access),
  full: (at) => bearer(at.alice.access),
  refresh: async (at) => bearer(await refreshToken(at)),
  admin: () => basic("admin", adminPassword),
  "wrong admin": () => basic("admin", "wrong"),
  "other user": () => basic("other", adminPassword),
};

/** A refresh token that was never used. */
async function refreshToken(at) {
  const input = { identifier: at.alice.handle, password: at.alice.password };
  return (await call(at.url, "com.atproto.server.createSession", "POST", input)).json.refreshJwt;
}

/** The cases of a method: its name, the credential, and what is done to the good input. */
function* cases(verb, credential, good) {
  for (const name of Object.keys(CREDENTIALS)) {
    if (name !== "full" || credential === "full") yield { name: `as ${name}`, credential: name, change: (input) => input };
  }
  yield { name: "with an unknown field", credential, change: (input) => ({ ...input, unknownField: "x" }) };
  for (const field of Object.keys(good ?? {})) {
    const change = (value) => (input) => ({ ...input, [field]: value });
    yield { name: `${field} absent`, credential, change: ({ [field]: _, ...rest }) => rest };
    yield { name: `${field} empty`, credential, change: change("") };
    yield { name: `${field} too long`, credential, change: change("x".repeat(3000)) };
    if (verb === "POST") {
      yield { name: `${field} null`, credential, change: change(null) };
      yield { name: `${field} of another type`, credential, change: change(typeof good[field] === "number" ? "one" : 7) };
      yield { name: `${field} a list`, credential, change: change([]) };
    } else {
      yield { name: `${field} twice`, credential, change: (input) => ({ ...input, [field]: [input[field], input[field]].flat() }) };
    }
  }
  if (verb === "POST") {
    yield { name: "without a body", credential, change: () => undefined };
    yield { name: "with a list as body", credential, change: () => "[]" };
    yield { name: "with broken JSON", credential, change: () => "{" };
  }
  yield { name: "with the other verb", credential, verb: verb === "GET" ? "POST" : "GET", change: () => undefined };
}

function outcome({ status, kind, json }, isAboutCredentials) {
  if (status >= 400) {
    const told = isAboutCredentials && json?.message ? ` ${json.message}` : "";
    return `${status} ${json?.error}${told}`;
  }
  return `${status} ${kind} ${json === undefined ? "" : JSON.stringify(shape(json))}`.trim();
}

async function compare(sides) {
  const [compared, unexpected, used] = [[], [], new Set()];
  for (const [nsid, verb, credential, input] of METHODS) {
    if (only && !nsid.endsWith(only)) continue;
    for (const one of cases(verb, credential, input(sides[0]))) {
      const answers = [];
      for (const at of sides) {
        const headers = await CREDENTIALS[one.credential](at);
        answers.push(await call(at.url, nsid, one.verb ?? verb, one.change(input(at)), headers));
      }
      const isAboutCredentials = one.name.startsWith("as ");
      const [mine, theirs] = answers.map((answer) => outcome(answer, isAboutCredentials));
      const name = `${nsid} ${one.name}`;
      compared.push(name);
      if (mine === theirs) continue;
      const intended = DIFFERENCES.find((known) => known.case.test(name) && known.ours.test(mine) && known.theirs.test(theirs));
      if (intended) used.add(intended);
      else unexpected.push({ case: name, ours: mine, theirs, messages: answers.map((answer) => answer.json?.message) });
    }
  }
  const unused = only ? [] : DIFFERENCES.filter((known) => !used.has(known)).map((known) => known.reason);
  return { compared: compared.length, unexpected, unused };
}

const reference = await startReference();
try {
  const result = await compare([await side(ours), await side(reference.url)]);
  console.log(JSON.stringify(result));
} finally {
  await reference.end();
}
