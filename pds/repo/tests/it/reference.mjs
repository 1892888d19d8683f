// The reference's side of tests/it/reference.rs. Reads a task from standard input, answers on standard output.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.AURORA_NPM_DIR}/package.json`);
const load = (name) => import(pathToFileURL(require.resolve(name)).href);
const { MST, MemoryBlockstore, verifyProofs, verifyRepoCar } = await load("@atproto/repo");
const { parseCid } = await load("@atproto/lex-data");

let text = "";
for await (const chunk of process.stdin) text += chunk;
const task = JSON.parse(text);

let tree = await MST.create(new MemoryBlockstore());
const roots = [];
const present = new Set();
for (const { ops } of task.commits) {
  for (const { path, cid } of ops) {
    if (cid === null) {
      tree = await tree.delete(path);
      present.delete(path);
    } else if (present.has(path)) {
      tree = await tree.update(path, parseCid(cid));
    } else {
      tree = await tree.add(path, parseCid(cid));
      present.add(path);
    }
  }
  roots.push(String(await tree.getPointer()));
}

const exported = await verifyRepoCar(Buffer.from(task.export, "base64"), task.did, task.key);
let provenCommits = 0;
for (const { car, ops } of task.commits) {
  const claims = ops.map(({ path, cid }) => {
    const [collection, rkey] = path.split("/");
    return { collection, rkey, cid: cid === null ? null : parseCid(cid) };
  });
  const { verified, unverified } = await verifyProofs(Buffer.from(car, "base64"), claims, task.did, task.key);
  if (verified.length === claims.length && unverified.length === 0) provenCommits += 1;
}
process.stdout.write(JSON.stringify({ roots, exported: exported.creates.length, provenCommits }));
