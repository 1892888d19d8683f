// The reference's side of tests/it/operation.rs. Reads a task from standard input, answers on standard output.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const require = createRequire(`${process.env.AURORA_NPM_DIR}/package.json`);
const load = async (name) => {
  const module = await import(pathToFileURL(require.resolve(name)).href);
  return module.default ?? module;
};
const lib = await load("@did-plc/lib");
const { Secp256k1Keypair } = await load("@atproto/crypto");

let text = "";
for await (const chunk of process.stdin) text += chunk;
const { genesis, update, log } = JSON.parse(text);
const signer = await Secp256k1Keypair.import(genesis.rotationKeyHex);
const { rotationKeyHex, ...fields } = genesis;

const created = await lib.createOp({ ...fields, signer });
const updated = await lib.updateHandleOp(update.last, signer, update.handle);
// Throws unless every signature, CID and the DID are right.
const state = await lib.validateOperationLog(created.did, log);
process.stdout.write(JSON.stringify({ did: created.did, genesis: created.op, update: updated, state }));
