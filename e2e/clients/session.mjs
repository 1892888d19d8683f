// Uses one session with `@atproto/api`: logs in, refreshes, writes in batches, lists by pages, deletes, logs out.
//
// Usage: session.mjs '{"url","handle","password","posts"}'
// Prints {"refreshed","listed","deleted","loggedOut"}.
import assert from "node:assert/strict";
import { AtpAgent } from "@atproto/api";

const { url, handle, password, posts } = JSON.parse(process.argv[2]);
const agent = new AtpAgent({ service: url });
await agent.login({ identifier: handle, password });
const repo = agent.session.did;
const collection = "app.bsky.feed.post";

const before = agent.session.refreshJwt;
await agent.sessionManager.refreshSession();
const refreshed = agent.session.refreshJwt !== before;

for (let from = 0; from < posts; from += 50) {
  const writes = Array.from({ length: Math.min(50, posts - from) }, (_, n) => ({
    $type: "com.atproto.repo.applyWrites#create",
    collection,
    value: { $type: collection, text: `post ${from + n}`, createdAt: new Date().toISOString() },
  }));
  await agent.com.atproto.repo.applyWrites({ repo, writes });
}

const seen = new Set();
let cursor;
do {
  const { data } = await agent.com.atproto.repo.listRecords({ repo, collection, limit: 25, cursor });
  for (const record of data.records) seen.add(record.uri);
  cursor = data.records.length ? data.cursor : undefined;
} while (cursor);

const [first] = seen;
await agent.deletePost(first);
await assert.rejects(agent.com.atproto.repo.getRecord({ repo, collection, rkey: first.split("/").at(-1) }), { error: "RecordNotFound" });

const refreshJwt = agent.session.refreshJwt;
await agent.logout();
const again = await fetch(`${url}/xrpc/com.atproto.server.refreshSession`, { method: "POST", headers: { authorization: `Bearer ${refreshJwt}` } });
const loggedOut = again.status === 400 && (await again.json()).error === "ExpiredToken";
process.stdout.write(`${JSON.stringify({ refreshed, listed: seen.size, deleted: true, loggedOut })}\n`);
