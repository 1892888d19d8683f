// Moves an account from one server to another with the stock client `@atproto/api`, as its owner would, and verifies the result with `@atproto/repo`.
//
// Usage: move.mjs '{"plc", "from": {"url","identifier","password","takenDown"?,"adminPassword"?},
//                   "to": {"url","handle","email","password","adminPassword"?,"existing"?,"keepsCommit"?}, "rotationKey"?, "mailpit"?, "document"?}'
// `rotationKey` (hex) is a rotation key of the owner, who then signs the PLC operation; without it the old server signs with a code that it mails,
// and `mailpit` is the URL at which the mail is read. The owner of a did:web puts its document to the URL `document` instead. With `takenDown` the
// old server takes the account down first. With `existing` the account is at the new server already, deactivated: it moves back. A server that
// `keepsCommit` serves the commit of the old server, with its signature, until the next write.
// Prints {"did","records","blobs","preferences","rev","commit"}.
import assert from "node:assert/strict";
import { AtpAgent } from "@atproto/api";
import { Secp256k1Keypair } from "@atproto/crypto";
import { IdResolver } from "@atproto/identity";
import { verifyRepoCar } from "@atproto/repo";
import plcLib from "@did-plc/lib";

const { plc, from, to, rotationKey, mailpit, document } = JSON.parse(process.argv[2]);
const [source, target] = [new AtpAgent({ service: from.url }), new AtpAgent({ service: to.url })];
const [oldServer, newServer] = [source.com.atproto, target.com.atproto];
const json = { encoding: "application/json" };
const CREATE = "com.atproto.server.createAccount";
const CAR = "application/vnd.ipld.car";

async function everyPage(ask, field) {
  const items = [];
  let cursor;
  do {
    const { data } = await ask(cursor);
    items.push(...data[field]);
    cursor = data[field].length ? data.cursor : undefined;
  } while (cursor);
  return items;
}

const asAdmin = (server) => {
  const authorization = `Basic ${Buffer.from(`admin:${server.adminPassword}`).toString("base64")}`;
  return { headers: { authorization }, ...json };
};

async function inviteCode(required) {
  if (!required) return undefined;
  return (await newServer.server.createInviteCode({ useCount: 1 }, asAdmin(to))).data.code;
}

async function takeDown() {
  const { data } = await oldServer.identity.resolveHandle({ handle: from.identifier });
  const subject = { $type: "com.atproto.admin.defs#repoRef", did: data.did };
  await oldServer.admin.updateSubjectStatus({ subject, takedown: { applied: true } }, asAdmin(from));
}

async function enter(did) {
  const { data: server } = await newServer.server.describeServer();
  if (!to.existing) {
    const { data } = await oldServer.server.getServiceAuth({ aud: server.did, lxm: CREATE });
    const account = { did, handle: to.handle, email: to.email, password: to.password, inviteCode: await inviteCode(server.inviteCodeRequired) };
    await newServer.server.createAccount(account, { headers: { authorization: `Bearer ${data.token}` }, ...json });
  }
  await target.login({ identifier: did, password: to.password });
  target.sessionManager.pdsUrl = undefined;
  assert.equal(target.session.did, did);
  const { data: status } = await newServer.server.checkAccountStatus();
  assert.equal(status.activated, false);
}

async function moveRepository(did) {
  const { data: car } = await oldServer.sync.getRepo({ did });
  await newServer.repo.importRepo(car, { encoding: CAR });
}

async function moveBlobs(did) {
  const missing = await everyPage((cursor) => newServer.repo.listMissingBlobs({ limit: 100, cursor }), "blobs");
  for (const { cid } of missing) {
    const { data, headers } = await oldServer.sync.getBlob({ did, cid });
    const { data: stored } = await newServer.repo.uploadBlob(data, { encoding: headers["content-type"] });
    assert.equal(stored.blob.ref.toString(), cid);
  }
  const { data: status } = await newServer.server.checkAccountStatus();
  assert.equal(status.importedBlobs, status.expectedBlobs);
}

async function movePreferences() {
  const { data } = await source.app.bsky.actor.getPreferences();
  await target.app.bsky.actor.putPreferences(data);
  const { data: moved } = await target.app.bsky.actor.getPreferences();
  assert.deepEqual(moved, data);
  return moved.preferences.map(({ $type }) => $type);
}

// The mails with a code for an operation, newest first. The server that sends them decides about the words.
async function operationMails() {
  const query = encodeURIComponent(`to:"${source.session.email}"`);
  const { messages } = await (await fetch(`${mailpit}/api/v1/search?query=${query}`)).json();
  return messages.filter((mail) => /plc|identity/i.test(mail.Subject));
}

async function mailedCode() {
  const before = new Set((await operationMails()).map((mail) => mail.ID));
  await oldServer.identity.requestPlcOperationSignature();
  for (let attempt = 0; attempt < 150; attempt += 1) {
    const mail = (await operationMails()).find(({ ID }) => !before.has(ID));
    if (mail) {
      const { Text } = await (await fetch(`${mailpit}/api/v1/message/${mail.ID}`)).json();
      return Text.match(/\b[A-Z2-7]{5}-[A-Z2-7]{5}\b/i)[0];
    }
    await new Promise((done) => setTimeout(done, 200));
  }
  throw new Error("no mail with a code arrived within 30 seconds");
}

// The operation that makes the DID document name the new server.
async function operation(did, credentials) {
  if (rotationKey) {
    const key = await Secp256k1Keypair.import(rotationKey);
    const last = await new plcLib.Client(plc).getLastOp(did);
    const rotationKeys = [...new Set([key.did(), ...credentials.rotationKeys])];
    return plcLib.createUpdateOp(last, key, (op) => ({ ...op, ...credentials, rotationKeys }));
  }
  const { data } = await oldServer.identity.signPlcOperation({ token: await mailedCode(), ...credentials });
  return data.operation;
}

// A did:web is changed where its owner serves it.
async function putDocument(did, { alsoKnownAs, verificationMethods, services }) {
  const verificationMethod = Object.entries(verificationMethods).map(([name, key]) => {
    return { id: `${did}#${name}`, type: "Multikey", controller: did, publicKeyMultibase: key.replace("did:key:", "") };
  });
  const service = Object.entries(services).map(([name, { type, endpoint }]) => ({ id: `#${name}`, type, serviceEndpoint: endpoint }));
  const body = JSON.stringify({ "@context": ["https://www.w3.org/ns/did/v1"], id: did, alsoKnownAs, verificationMethod, service });
  const answer = await fetch(document, { method: "PUT", body });
  assert.equal(answer.status, 200);
}

async function changeIdentity(did, credentials) {
  if (did.startsWith("did:web:")) return putDocument(did, credentials);
  await newServer.identity.submitPlcOperation({ operation: await operation(did, credentials) });
}

// With an access token the owner reads a repository that nobody else may read.
async function records(url, did, token, formerKey) {
  const headers = token ? { authorization: `Bearer ${token}` } : {};
  const answer = await fetch(`${url}/xrpc/com.atproto.sync.getRepo?did=${encodeURIComponent(did)}`, { headers });
  if (!answer.ok) throw new Error(`getRepo answered ${answer.status}: ${await answer.text()}`);
  const resolver = new IdResolver({ plcUrl: plc, fetch: globalThis.fetch });
  const key = formerKey ?? (await resolver.did.resolveAtprotoKey(did, true));
  const verified = await verifyRepoCar(new Uint8Array(await answer.arrayBuffer()), did, key);
  const found = Object.fromEntries(verified.creates.map(({ collection, rkey, cid }) => [`${collection}/${rkey}`, String(cid)]));
  return { found, commit: verified.commit, key };
}

if (from.takenDown) await takeDown();
await source.login({ identifier: from.identifier, password: from.password, allowTakendown: from.takenDown });
// The servers are asked where they were found, not at the addresses in their documents.
source.sessionManager.pdsUrl = undefined;
const { did } = source.session;
const before = await records(from.url, did, from.takenDown && source.session.accessJwt);
await enter(did);
await moveRepository(did);
await moveBlobs(did);
const preferences = await movePreferences();

const { data: credentials } = await newServer.identity.getRecommendedDidCredentials();
await changeIdentity(did, credentials);
await newServer.server.activateAccount();
const { data: status } = await newServer.server.checkAccountStatus();
assert.equal(status.activated && status.validDid, true);
assert.equal(status.indexedRecords, Object.keys(before.found).length);
await oldServer.server.deactivateAccount({});

const after = await records(to.url, did, undefined, to.keepsCommit ? before.key : undefined);
assert.deepEqual(after.found, before.found);
const blobs = await everyPage((cursor) => newServer.sync.listBlobs({ did, limit: 500, cursor }), "cids");
for (const cid of blobs) await newServer.sync.getBlob({ did, cid });
assert.equal(blobs.length, status.expectedBlobs);
const { data: old } = await oldServer.sync.getRepoStatus({ did });
assert.deepEqual([old.active, old.status], [false, from.takenDown ? "takendown" : "deactivated"]);
await target.post({ text: "I live here now", createdAt: new Date().toISOString() });
const { found, commit } = await records(to.url, did);
assert.equal(Object.keys(found).length, Object.keys(before.found).length + 1);

process.stdout.write(`${JSON.stringify({ did, records: Object.keys(before.found).length, blobs: blobs.length, preferences, rev: commit.rev, commit: String(commit.cid) })}\n`);
