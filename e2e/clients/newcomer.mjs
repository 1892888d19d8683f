// Makes an account with posts, a picture and preferences, with the stock client `@atproto/api`.
//
// Usage: newcomer.mjs '{"url","handle","email","password","posts","rotationKey"?,"inviteCode"?}'     `rotationKey` is in hexadecimal digits.
// Prints {"did","posts"}.
import { AtpAgent } from "@atproto/api";
import { Secp256k1Keypair } from "@atproto/crypto";

const { url, handle, email, password, rotationKey, posts, inviteCode } = JSON.parse(process.argv[2]);
const agent = new AtpAgent({ service: url });
const recoveryKey = rotationKey ? (await Secp256k1Keypair.import(rotationKey)).did() : undefined;
await agent.com.atproto.server.createAccount({ handle, email, password, recoveryKey, inviteCode });
await agent.login({ identifier: handle, password });
// The server is asked where it was found, not at the address in its documents.
agent.sessionManager.pdsUrl = undefined;
const repo = agent.session.did;

// A valid PNG of one pixel.
const picture = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");
const { blob } = (await agent.uploadBlob(picture, { encoding: "image/png" })).data;
const createdAt = new Date().toISOString();
await agent.post({ text: "A picture", createdAt, embed: { $type: "app.bsky.embed.images", images: [{ image: blob, alt: "one pixel" }] } });
for (let from = 1; from < posts; from += 50) {
  const writes = Array.from({ length: Math.min(50, posts - from) }, (_, n) => ({
    $type: "com.atproto.repo.applyWrites#create",
    collection: "app.bsky.feed.post",
    value: { $type: "app.bsky.feed.post", text: `post ${from + n}`, createdAt },
  }));
  await agent.com.atproto.repo.applyWrites({ repo, writes });
}
await agent.app.bsky.actor.putPreferences({ preferences: [{ $type: "app.bsky.actor.defs#adultContentPref", enabled: true }] });
process.stdout.write(`${JSON.stringify({ did: repo, posts })}\n`);
