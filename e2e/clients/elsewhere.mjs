// Reads a post of somebody on another server, once there and once through the reader's own server, with the stock client `@atproto/api`.
//
// Usage: elsewhere.mjs '{"url","handle","password","author":{"url","handle","email","password","adminPassword"}}'
// The author signs up or in, and writes a post. The own server of the reader has no copy of it: it asks the other one.
// Prints one JSON line: {"uri","cid","text","same":true}
import assert from "node:assert/strict";
import { AtpAgent } from "@atproto/api";

const { url, handle, password, author } = JSON.parse(process.argv[2]);
const reader = new AtpAgent({ service: url });
await reader.login({ identifier: handle, password });

const writer = new AtpAgent({ service: author.url });
try {
  await writer.login({ identifier: author.handle, password: author.password });
} catch (error) {
  if (error.status !== 401) throw error;
  const authorization = `Basic ${Buffer.from(`admin:${author.adminPassword}`).toString("base64")}`;
  const made = await writer.com.atproto.server.createInviteCode({ useCount: 1 }, { headers: { authorization }, encoding: "application/json" });
  const { handle, email, password } = author;
  await writer.createAccount({ handle, email, password, inviteCode: made.data.code });
}
// The identity of the author names the server by a host name that no DNS of this machine knows.
writer.sessionManager.pdsUrl = undefined;
const text = "Hello from another server";
const { uri } = await writer.post({ text, createdAt: new Date().toISOString() });

const [repo, collection, rkey] = uri.slice("at://".length).split("/");
const [there, here] = await Promise.all([writer, reader].map((agent) => agent.com.atproto.repo.getRecord({ repo, collection, rkey })));
assert.equal(there.data.value.text, text);
assert.deepEqual(here.data, there.data);
// A record of nobody is answered by the other server too, with its own error.
await assert.rejects(reader.com.atproto.repo.getRecord({ repo, collection, rkey: "3aaaaaaaaaa2a" }), { error: "RecordNotFound" });
process.stdout.write(`${JSON.stringify({ uri, cid: here.data.cid, text: here.data.value.text, same: true })}\n`);
