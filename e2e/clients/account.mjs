// Signs up, writes a post, uploads a picture and reads both back, with the stock client `@atproto/api`.
//
// Usage: account.mjs '{"url","handle","email","password","adminPassword"?}'
// If the server requires an invite code, `adminPassword` is used to create one. If the account exists, the script logs in instead.
// Prints one JSON line: {"did","handle","post":{"uri","cid"},"blob":{"cid","mimeType","size"},"readBack":true}
import assert from "node:assert/strict";
import { AtpAgent } from "@atproto/api";

const { url, handle, email, password, adminPassword } = JSON.parse(process.argv[2]);
const agent = new AtpAgent({ service: url });

async function inviteCode() {
  const { data } = await agent.com.atproto.server.describeServer();
  if (!data.inviteCodeRequired) return undefined;
  assert(adminPassword, "the server requires an invite code: give adminPassword");
  const authorization = `Basic ${Buffer.from(`admin:${adminPassword}`).toString("base64")}`;
  const made = await agent.com.atproto.server.createInviteCode({ useCount: 1 }, { headers: { authorization }, encoding: "application/json" });
  return made.data.code;
}

async function signUpOrIn() {
  try {
    await agent.login({ identifier: handle, password });
  } catch (error) {
    if (error.status !== 401) throw error;
    await agent.createAccount({ handle, email, password, inviteCode: await inviteCode() });
  }
}

// A valid PNG of one pixel: the server detects the type from the bytes, and it must equal the type that was sent.
const picture = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");

await signUpOrIn();
const blob = (await agent.uploadBlob(picture, { encoding: "image/png" })).data.blob;
const post = await agent.post({
  text: "Hello from a self-hosted server",
  createdAt: new Date().toISOString(),
  embed: { $type: "app.bsky.embed.images", images: [{ image: blob, alt: "one pixel" }] },
});
const rkey = post.uri.split("/").at(-1);
const read = await agent.com.atproto.repo.getRecord({ repo: agent.session.did, collection: "app.bsky.feed.post", rkey });
assert.equal(read.data.cid, post.cid);
assert.equal(read.data.value.text, "Hello from a self-hosted server");
const bytes = await agent.com.atproto.sync.getBlob({ did: agent.session.did, cid: blob.ref.toString() });
assert.deepEqual(Buffer.from(bytes.data), picture);

process.stdout.write(`${JSON.stringify({
  did: agent.session.did,
  handle: agent.session.handle,
  post,
  blob: { cid: blob.ref.toString(), mimeType: blob.mimeType, size: blob.size },
  readBack: true,
})}\n`);
