// Furnishes a reference server, and afterwards compares a server that has taken over its data with what it was.
//
// Usage: adoption.mjs '{"step": "furnish", "url", "domain", "adminPassword", "extra", "file"}'     writes what it saw to `file`
//        adoption.mjs '{"step": "compare", "url", "domain", "adminPassword", "file"}'
// Prints one JSON line with counts.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";

const { step, url, domain, adminPassword, extra, file } = JSON.parse(process.argv[2]);

const PASSWORD = "correct horse battery";
const admin = { authorization: `Basic ${Buffer.from(`admin:${adminPassword}`).toString("base64")}` };
const bearer = (token) => ({ authorization: `Bearer ${token}` });

async function ask(nsid, { input, query, headers, body, type } = {}) {
  const suffix = query ? `?${new URLSearchParams(query)}` : "";
  const isPost = input !== undefined || body !== undefined;
  const sent = isPost ? { "content-type": type ?? "application/json" } : {};
  return fetch(`${url}/xrpc/${nsid}${suffix}`, {
    method: isPost ? "POST" : "GET",
    body: body ?? (input === undefined ? undefined : JSON.stringify(input)),
    headers: { ...sent, ...headers },
  });
}

async function json(nsid, request) {
  const answer = await ask(nsid, request);
  const text = await answer.text();
  assert.ok(answer.ok, `${nsid}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : undefined;
}

async function bytes(nsid, request) {
  const answer = await ask(nsid, request);
  assert.ok(answer.ok, `${nsid}: ${answer.status}`);
  return { bytes: Buffer.from(await answer.arrayBuffer()).toString("base64"), type: answer.headers.get("content-type").split(";")[0] };
}

const post = (nsid, input, headers = {}) => json(nsid, { input, headers });
const login = (identifier, password) => ask("com.atproto.server.createSession", { input: { identifier, password } });

/** All messages from a cursor until `count` of them have come, in base64. */
async function messages(cursor, count) {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/xrpc/com.atproto.sync.subscribeRepos?cursor=${cursor}`);
  socket.binaryType = "arraybuffer";
  const found = [];
  await new Promise((done, failed) => {
    const timer = setTimeout(() => failed(new Error(`${found.length} of ${count} messages came within 30 seconds`)), 30_000);
    const end = () => (clearTimeout(timer), done());
    socket.onmessage = ({ data }) => {
      found.push(Buffer.from(data).toString("base64"));
      if (found.length >= count) end();
    };
    socket.onerror = () => failed(new Error("the subscription failed"));
    if (count === 0) end();
  });
  socket.close();
  return found;
}

/** Messages until none comes for a second. */
async function allMessages() {
  const socket = new WebSocket(`${url.replace(/^http/, "ws")}/xrpc/com.atproto.sync.subscribeRepos?cursor=0`);
  socket.binaryType = "arraybuffer";
  const found = [];
  await new Promise((done, failed) => {
    let timer = setTimeout(done, 3_000);
    socket.onmessage = ({ data }) => {
      found.push(Buffer.from(data).toString("base64"));
      clearTimeout(timer);
      timer = setTimeout(done, 1_500);
    };
    socket.onerror = () => failed(new Error("the subscription failed"));
  });
  socket.close();
  return found;
}

/** The number in a message: the integer behind the key `seq`. */
function number(message) {
  const data = Buffer.from(message, "base64");
  const at = data.indexOf(Buffer.from([0x63, 0x73, 0x65, 0x71])) + 4;
  const head = data[at];
  if (head < 24) return head;
  return [1, 2, 4, 8].map((size) => () => Number(BigInt(`0x${data.subarray(at + 1, at + 1 + size).toString("hex")}`)))[head - 24]();
}

async function makeAccount(name, inviteCode) {
  const handle = `${name}${domain}`;
  const email = `${name}@example.com`;
  const made = await post("com.atproto.server.createAccount", { handle, email, password: PASSWORD, inviteCode });
  return { name, handle, email, did: made.did, access: made.accessJwt, refresh: made.refreshJwt };
}

const createdAt = () => new Date().toISOString();

async function furnishAccount(account, posts) {
  const headers = bearer(account.access);
  const repo = account.did;
  account.blobs = [];
  for (let n = 0; n < 3; n += 1) {
    const body = Buffer.alloc(2_000 * (n + 1), `${account.name} ${n} `);
    const { blob } = await json("com.atproto.repo.uploadBlob", { body, type: "text/plain", headers });
    await post("com.atproto.repo.createRecord", { repo, collection: "com.example.thing", record: { $type: "com.example.thing", blob, n } }, headers);
    account.blobs.push(blob.ref.$link);
  }
  const loose = await json("com.atproto.repo.uploadBlob", { body: Buffer.from(`loose ${account.name}`), type: "text/plain", headers });
  account.loose = loose.blob;
  for (let from = 0; from < posts; from += 100) {
    const writes = Array.from({ length: Math.min(100, posts - from) }, (_, n) => ({
      $type: "com.atproto.repo.applyWrites#create",
      collection: "app.bsky.feed.post",
      value: { $type: "app.bsky.feed.post", text: `post ${from + n} of ${account.name}`, createdAt: createdAt() },
    }));
    await post("com.atproto.repo.applyWrites", { repo, writes }, headers);
  }
  const gone = await post("com.atproto.repo.createRecord", { repo, collection: "app.bsky.feed.post", record: { $type: "app.bsky.feed.post", text: "gone", createdAt: createdAt() } }, headers);
  await post("com.atproto.repo.deleteRecord", { repo, collection: "app.bsky.feed.post", rkey: gone.uri.split("/").at(-1) }, headers);
  const profile = { $type: "app.bsky.actor.profile", displayName: account.name };
  await post("com.atproto.repo.putRecord", { repo, collection: "app.bsky.actor.profile", rkey: "self", record: profile }, headers);
  await post("app.bsky.actor.putPreferences", { preferences: [
    { $type: "app.bsky.actor.defs#adultContentPref", enabled: true },
    { $type: "app.bsky.actor.defs#personalDetailsPref", birthDate: "1990-01-02T00:00:00.000Z" },
  ] }, headers);
  for (const privileged of [false, true]) {
    const made = await post("com.atproto.server.createAppPassword", { name: privileged ? "messages" : "posts", privileged }, headers);
    account[privileged ? "privilegedPassword" : "appPassword"] = made.password;
  }
  const session = await login(account.handle, account.appPassword);
  account.appRefresh = (await session.json()).refreshJwt;
}

/** What others see of an account. */
async function look(account) {
  const { did } = account;
  const seen = { repository: await bytes("com.atproto.sync.getRepo", { query: { did }, headers: admin }), blobs: {} };
  for (const cid of account.blobs) {
    if (cid !== account.takenBlob) seen.blobs[cid] = await bytes("com.atproto.sync.getBlob", { query: { did, cid }, headers: admin });
  }
  seen.status = await json("com.atproto.sync.getRepoStatus", { query: { did } });
  const info = await json("com.atproto.admin.getAccountInfo", { query: { did }, headers: admin });
  seen.info = {
    handle: info.handle, email: info.email, invitesDisabled: info.invitesDisabled ?? false, emailConfirmedAt: info.emailConfirmedAt,
    deactivatedAt: info.deactivatedAt, indexedAt: info.indexedAt, invitedBy: info.invitedBy?.code,
  };
  // Without fields that are not set, as it is read from the file.
  return JSON.parse(JSON.stringify(seen));
}

function blocks(car) {
  // Sections of a CAR file in any order; the first is the header.
  const data = Buffer.from(car, "base64");
  const sections = [];
  for (let at = 0; at < data.length; ) {
    let [len, shift, byte] = [0, 0, 0x80];
    while (byte & 0x80) {
      byte = data[at++];
      len += (byte & 0x7f) * 2 ** shift;
      shift += 7;
    }
    sections.push(data.subarray(at, at + len).toString("base64"));
    at += len;
  }
  return [sections[0], [...new Set(sections.slice(1))].sort()];
}

async function furnish() {
  const codes = (await post("com.atproto.server.createInviteCode", { useCount: 5 }, admin)).code;
  const accounts = [];
  for (const name of ["alice", "bob", "carol", "dave"]) accounts.push(await makeAccount(name, codes));
  const [alice, bob, carol, dave] = accounts;
  for (const account of accounts) await furnishAccount(account, account === alice ? 320 : 12);
  for (let n = 0; n < extra; n += 1) await makeAccount(`extra${n}`);
  // An account that is deleted leaves a gap in the numbers.
  const gone = await makeAccount("gone");
  await post("com.atproto.repo.createRecord", { repo: gone.did, collection: "app.bsky.feed.post", record: { $type: "app.bsky.feed.post", text: "hi", createdAt: createdAt() } }, bearer(gone.access));
  await post("com.atproto.admin.deleteAccount", { did: gone.did }, admin);
  await post("com.atproto.server.deactivateAccount", {}, bearer(carol.access));
  const repoRef = (did) => ({ $type: "com.atproto.admin.defs#repoRef", did });
  const takedown = (subject) => post("com.atproto.admin.updateSubjectStatus", { subject, takedown: { applied: true, ref: "a decision" } }, admin);
  alice.takenBlob = alice.blobs[2];
  await takedown({ $type: "com.atproto.admin.defs#repoBlobRef", did: alice.did, cid: alice.takenBlob });
  const listed = await json("com.atproto.repo.listRecords", { query: { repo: alice.did, collection: "app.bsky.feed.post", limit: 1 } });
  alice.takenRecord = listed.records[0].uri;
  await takedown({ $type: "com.atproto.repo.strongRef", uri: alice.takenRecord, cid: listed.records[0].cid });
  await post("com.atproto.admin.disableAccountInvites", { account: bob.did }, admin);
  await takedown(repoRef(dave.did));
  await post("com.atproto.repo.createRecord", { repo: bob.did, collection: "app.bsky.feed.post", record: { $type: "app.bsky.feed.post", text: "the last word", createdAt: createdAt() } }, bearer(bob.access));
  for (const account of accounts) account.seen = await look(account);
  for (const account of [alice, bob]) account.preferences = await json("app.bsky.actor.getPreferences", { headers: bearer(account.access) });
  const { code: unused } = await post("com.atproto.server.createInviteCode", { useCount: 1 }, admin);
  const invites = await json("com.atproto.admin.getInviteCodes", { query: { limit: 100 }, headers: admin });
  const events = await allMessages();
  await writeFile(file, JSON.stringify({ accounts, events, unused, invites: invites.codes }));
  return { accounts: accounts.length + extra, events: events.length, last: number(events.at(-1)) };
}

async function compareAccount(account) {
  const { did } = account;
  const seen = await look(account);
  assert.deepEqual(blocks(seen.repository.bytes), blocks(account.seen.repository.bytes), `${account.name}: repository`);
  assert.deepEqual(seen.blobs, account.seen.blobs, `${account.name}: blobs`);
  assert.deepEqual(seen.status, account.seen.status, `${account.name}: status`);
  assert.deepEqual(seen.info, account.seen.info, `${account.name}: account`);
  const session = await login(account.handle, PASSWORD);
  if (account.name === "dave") {
    assert.equal((await session.json()).error, "AccountTakedown");
    return;
  }
  assert.ok(session.ok, `${account.name}: ${await session.clone().text()}`);
  const opened = await session.json();
  assert.deepEqual([opened.did, opened.active, opened.status], account.name === "carol" ? [did, false, "deactivated"] : [did, true, undefined]);
  assert.equal((await login(account.handle, "wrong")).status, 401);
  for (const password of [account.appPassword, account.privilegedPassword, account.appPassword]) {
    const app = await login(account.handle, password);
    assert.ok(app.ok, `${account.name}: app password: ${await app.clone().text()}`);
  }
  const names = (await json("com.atproto.server.listAppPasswords", { headers: bearer(opened.accessJwt) })).passwords;
  assert.deepEqual(names.map(({ name, privileged }) => [name, privileged ?? false]).sort(), [["messages", true], ["posts", false]]);
  // Sessions of the old server go on.
  for (const token of [account.refresh, account.appRefresh]) {
    const refreshed = await ask("com.atproto.server.refreshSession", { body: "", headers: bearer(token) });
    assert.ok(refreshed.ok, `${account.name}: refresh: ${await refreshed.clone().text()}`);
  }
  if (account.preferences) {
    assert.deepEqual(await json("app.bsky.actor.getPreferences", { headers: bearer(opened.accessJwt) }), account.preferences);
  }
  account.access = opened.accessJwt;
}

async function compare() {
  const { accounts, events, unused, invites } = JSON.parse(await readFile(file));
  const last = number(events.at(-1));
  // Followers go on where they were: byte for byte the same messages with the same numbers.
  assert.deepEqual(await messages(0, events.length), events);
  const middle = Math.floor(events.length / 2);
  assert.deepEqual(await messages(number(events[middle]), events.length - middle - 1), events.slice(middle + 1));
  for (const account of accounts) await compareAccount(account);
  const [alice, bob] = accounts;
  const found = (await json("com.atproto.admin.getInviteCodes", { query: { limit: 100 }, headers: admin })).codes;
  const plain = (codes) => codes.map(({ code, available, disabled, forAccount, createdBy, uses }) => (
    { code, available, disabled, forAccount, createdBy, uses: uses.map(({ usedBy, usedAt }) => `${usedBy} ${usedAt}`).sort() }
  )).sort((a, b) => (a.code < b.code ? -1 : 1));
  assert.deepEqual(plain(found), plain(invites));
  const hidden = await ask("com.atproto.sync.getBlob", { query: { did: alice.did, cid: alice.takenBlob } });
  assert.equal(hidden.status, 400);
  const [, , , collection, rkey] = alice.takenRecord.split("/");
  assert.equal((await ask("com.atproto.repo.getRecord", { query: { repo: alice.did, collection, rkey } })).status, 400);
  // A blob that was uploaded before can be referred to, and what is new comes behind everything.
  const record = { $type: "com.example.thing", blob: alice.loose };
  const written = await post("com.atproto.repo.createRecord", { repo: alice.did, collection: "com.example.thing", record }, bearer(alice.access));
  const [next] = await messages(last, 1);
  assert.ok(number(next) > last, `${number(next)} is not above ${last}`);
  assert.ok(Buffer.from(next, "base64").includes(written.commit.rev), "the new commit comes behind the old events");
  const blob = await bytes("com.atproto.sync.getBlob", { query: { did: alice.did, cid: alice.loose.ref.$link } });
  assert.equal(Buffer.from(blob.bytes, "base64").toString(), "loose alice");
  await post("com.atproto.server.createAccount", { handle: `newcomer${domain}`, email: "newcomer@example.com", password: PASSWORD, inviteCode: unused });
  const { repos } = await json("com.atproto.sync.listRepos", { query: { limit: 1000 } });
  assert.ok(repos.some(({ did }) => did === bob.did));
  return { accounts: repos.length, events: events.length, next: number(next) };
}

const result = await (step === "furnish" ? furnish() : compare());
process.stdout.write(`${JSON.stringify(result)}\n`);
process.exit(0);
