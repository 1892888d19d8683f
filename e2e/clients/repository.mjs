// Downloads an account's repository and verifies it with `@atproto/repo`: signature, tree, every record.
//
// Usage: repository.mjs '{"url":"https://host","plc":"http://plc","did":"did:plc:..."}'
// Prints {"did","rev","commit","records":{path: cid}}. If the verification fails, it prints the reason and exits with 1.
import { IdResolver } from "@atproto/identity";
import { verifyRepoCar } from "@atproto/repo";

const { url, plc, did } = JSON.parse(process.argv[2]);
const answer = await fetch(`${url}/xrpc/com.atproto.sync.getRepo?did=${encodeURIComponent(did)}`);
if (!answer.ok) throw new Error(`getRepo answered ${answer.status}: ${await answer.text()}`);
const car = new Uint8Array(await answer.arrayBuffer());
const resolver = new IdResolver({ plcUrl: plc, fetch: globalThis.fetch });
const key = await resolver.did.resolveAtprotoKey(did);
const verified = await verifyRepoCar(car, did, key);
const records = {};
for (const { collection, rkey, cid } of verified.creates) records[`${collection}/${rkey}`] = String(cid);
process.stdout.write(`${JSON.stringify({ did, rev: verified.commit.rev, commit: String(verified.commit.cid), bytes: car.length, records })}\n`);
