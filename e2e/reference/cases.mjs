// The methods that are compared with the reference, each with the credential that it asks for and a good input; and those that are not, with the reason.
//
// `input` gets one side's accounts and returns parameters (of a query) or the body (of a procedure). Texts in it that are made anew with each call
// come from `fresh`, so that a case can be repeated.
import { fresh } from "./sides.mjs";

const thing = { $type: "com.example.thing", n: 1 };
const none = () => undefined;
const nothing = () => ({});
const of = (account) => ({ did: account.did });
const recordOf = (account) => ({ collection: "app.bsky.feed.post", rkey: account.rkey });
const noOne = "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa";
// Signed by nobody, and without the server's rotation key: refused before the directory is asked.
const operation = {
  type: "plc_operation",
  rotationKeys: ["did:key:zQ3shunBKsXixLxKtC5qeSG9E4J5RkGN57im31pcTzbNQnm5w"],
  verificationMethods: {},
  alsoKnownAs: [],
  services: {},
  prev: null,
  sig: "A".repeat(86),
};

/**
 * One row for each method: NSID, credential, input, and what is special about it. `account` asks instead of alice; with `raw` the input is bytes
 * of a type; `isLarge` if it takes a megabyte;
 * `without` names cases that the reference would be busy with for days; `isFinal` if it must not be asked about other accounts, since it would end
 * them or their sessions.
 */
export const METHODS = [
  ["com.atproto.server.describeServer", "none", nothing],
  ["com.atproto.server.createAccount", "none", (at) => {
    const name = fresh("c");
    return { handle: `${name}${at.domain}`, email: `${name}@mail.example.com`, password: "a-long-password" };
  }],
  ["com.atproto.server.createSession", "none", (at) => ({ identifier: at.alice.handle, password: at.alice.password })],
  ["com.atproto.server.getSession", "access", nothing],
  ["com.atproto.server.refreshSession", "refresh", none],
  ["com.atproto.server.deleteSession", "refresh", none],
  ["com.atproto.server.createAppPassword", "access", () => ({ name: fresh("app") })],
  ["com.atproto.server.listAppPasswords", "access", nothing],
  ["com.atproto.server.revokeAppPassword", "access", () => ({ name: "none of this name" })],
  ["com.atproto.server.createInviteCode", "admin", () => ({ useCount: 1 })],
  ["com.atproto.server.createInviteCodes", "admin", () => ({ codeCount: 1, useCount: 1 }), { without: ["codeCount huge"] }],
  ["com.atproto.server.getAccountInviteCodes", "access", nothing],
  ["com.atproto.server.getServiceAuth", "access", () => ({ aud: "did:web:service.example.com", lxm: "app.bsky.feed.getTimeline" })],
  ["com.atproto.server.checkAccountStatus", "access", nothing],
  ["com.atproto.server.activateAccount", "access", none, { account: "erin" }],
  ["com.atproto.server.deactivateAccount", "access", nothing, { account: "erin" }],
  ["com.atproto.server.requestAccountDelete", "access", none],
  ["com.atproto.server.deleteAccount", "none", (at) => ({ did: at.alice.did, password: at.alice.password, token: "AAAAA-BBBBB" })],
  ["com.atproto.server.requestEmailConfirmation", "access", none],
  ["com.atproto.server.confirmEmail", "access", (at) => ({ email: at.alice.email, token: "AAAAA-BBBBB" })],
  ["com.atproto.server.requestEmailUpdate", "access", none],
  ["com.atproto.server.updateEmail", "access", (at) => ({ email: at.alice.email })],
  ["com.atproto.server.requestPasswordReset", "none", (at) => ({ email: at.alice.email })],
  ["com.atproto.server.resetPassword", "none", () => ({ token: "AAAAA-BBBBB", password: "another-password" })],
  ["com.atproto.server.reserveSigningKey", "none", nothing],
  ["com.atproto.identity.resolveHandle", "none", (at) => ({ handle: at.alice.handle })],
  ["com.atproto.identity.updateHandle", "access", (at) => ({ handle: at.alice.handle })],
  ["com.atproto.identity.getRecommendedDidCredentials", "access", nothing],
  ["com.atproto.identity.requestPlcOperationSignature", "access", none],
  ["com.atproto.identity.signPlcOperation", "access", () => ({ token: "AAAAA-BBBBB" })],
  ["com.atproto.identity.submitPlcOperation", "access", () => ({ operation })],
  ["com.atproto.repo.createRecord", "access", (at) => ({ repo: at.alice.did, collection: "com.example.thing", record: thing }), { isLarge: true }],
  ["com.atproto.repo.putRecord", "access", (at) => ({ repo: at.alice.did, collection: "com.example.thing", rkey: fresh("k"), record: thing }), { isLarge: true }],
  ["com.atproto.repo.deleteRecord", "access", (at) => ({ repo: at.alice.did, collection: "com.example.thing", rkey: "none" })],
  ["com.atproto.repo.applyWrites", "access", (at) => ({
    repo: at.alice.did,
    writes: [{ $type: "com.atproto.repo.applyWrites#create", collection: "com.example.thing", value: thing }],
  }), { isLarge: true }],
  ["com.atproto.repo.uploadBlob", "access", none, { raw: { type: "text/plain", body: () => "some bytes" } }],
  ["com.atproto.repo.getRecord", "none", (at) => ({ repo: at.alice.did, ...recordOf(at.alice) })],
  ["com.atproto.repo.listRecords", "none", (at) => ({ repo: at.alice.did, collection: "app.bsky.feed.post", limit: 10 })],
  ["com.atproto.repo.describeRepo", "none", (at) => ({ repo: at.alice.did })],
  ["com.atproto.repo.listMissingBlobs", "access", nothing],
  ["com.atproto.repo.importRepo", "access", none, { raw: { type: "application/vnd.ipld.car", body: (at) => at.alice.car } }],
  ["com.atproto.sync.getLatestCommit", "none", (at) => of(at.alice)],
  ["com.atproto.sync.getRepoStatus", "none", (at) => of(at.alice)],
  ["com.atproto.sync.getRecord", "none", (at) => ({ ...of(at.alice), ...recordOf(at.alice) })],
  ["com.atproto.sync.getRepo", "none", (at) => of(at.alice)],
  ["com.atproto.sync.getBlocks", "none", (at) => ({ ...of(at.alice), cids: [at.alice.cid] })],
  ["com.atproto.sync.getBlob", "none", (at) => ({ ...of(at.alice), cid: at.alice.blob ?? at.alice.cid })],
  ["com.atproto.sync.listBlobs", "none", (at) => of(at.alice)],
  ["com.atproto.sync.listRepos", "none", () => ({ limit: 5 })],
  ["com.atproto.sync.getHead", "none", (at) => of(at.alice)],
  ["com.atproto.sync.getCheckout", "none", (at) => of(at.alice)],
  ["com.atproto.admin.getSubjectStatus", "admin", (at) => of(at.alice)],
  ["com.atproto.admin.updateSubjectStatus", "admin", (at) => ({
    subject: { $type: "com.atproto.admin.defs#repoRef", did: at.bob.did },
    takedown: { applied: false },
  }), { isFinal: true }],
  ["com.atproto.admin.getAccountInfo", "admin", (at) => of(at.alice)],
  ["com.atproto.admin.getAccountInfos", "admin", (at) => ({ dids: [at.alice.did] })],
  ["com.atproto.admin.getInviteCodes", "admin", nothing],
  ["com.atproto.admin.disableInviteCodes", "admin", () => ({ codes: [] })],
  ["com.atproto.admin.disableAccountInvites", "admin", (at) => ({ account: at.bob.did })],
  ["com.atproto.admin.enableAccountInvites", "admin", (at) => ({ account: at.bob.did })],
  ["com.atproto.admin.updateAccountEmail", "admin", (at) => ({ account: at.bob.did, email: at.bob.email })],
  ["com.atproto.admin.updateAccountHandle", "admin", (at) => ({ did: at.bob.did, handle: at.bob.handle })],
  ["com.atproto.admin.updateAccountPassword", "admin", (at) => ({ did: at.bob.did, password: at.bob.password }), { isFinal: true }],
  ["com.atproto.admin.deleteAccount", "admin", () => ({ did: noOne }), { isFinal: true }],
  ["com.atproto.admin.sendEmail", "admin", (at) => ({ recipientDid: at.bob.did, senderDid: at.alice.did, content: "Hello" })],
  ["com.atproto.temp.checkSignupQueue", "access", nothing],
  ["com.atproto.moderation.createReport", "access", (at) => ({
    reasonType: "com.atproto.moderation.defs#reasonSpam",
    subject: { $type: "com.atproto.admin.defs#repoRef", did: at.bob.did },
  })],
  ["app.bsky.actor.getPreferences", "access", nothing],
  ["app.bsky.actor.putPreferences", "access", () => ({ preferences: [{ $type: "app.bsky.actor.defs#adultContentPref", enabled: false }] })],
  ["app.bsky.actor.getProfile", "access", (at) => ({ actor: at.alice.did })],
  ["app.bsky.actor.getProfiles", "access", (at) => ({ actors: [at.alice.did] })],
  ["app.bsky.feed.getActorLikes", "access", (at) => ({ actor: at.alice.did })],
  ["app.bsky.feed.getAuthorFeed", "access", (at) => ({ actor: at.alice.did })],
  ["app.bsky.feed.getFeed", "access", (at) => ({ feed: `at://${at.alice.did}/app.bsky.feed.generator/x` })],
  ["app.bsky.feed.getPostThread", "access", (at) => ({ uri: at.alice.uri })],
  ["app.bsky.feed.getTimeline", "access", nothing],
  ["app.bsky.notification.registerPush", "access", () => ({ serviceDid: "did:web:api.example.com", token: "t", platform: "ios", appId: "app" })],
  ["app.bsky.notification.unregisterPush", "access", () => ({ serviceDid: "did:web:api.example.com", token: "t", platform: "ios", appId: "app" })],
];

/** Methods of no row in the table, which go to the app view: NSID, verb, input. */
export const PASSED_ON = [
  ["app.bsky.feed.getPosts", "GET", (at) => ({ uris: [at.alice.uri] })],
  ["app.bsky.graph.muteActor", "POST", (at) => ({ actor: at.bob.did })],
  ["com.example.refused", "GET", nothing],
  ["com.example.broken", "GET", nothing],
];

/** Methods of the table that are not asked. */
export const NOT_ASKED = [
  { method: /^dev\.auroralocus\./, reason: "methods of this project, which the reference does not know" },
  {
    method: /^com\.atproto\.(identity\.(resolveDid|resolveIdentity|refreshIdentity)|lexicon\.resolveLexicon)$/,
    reason: "the reference passes them on to its app view",
  },
  {
    method: /^com\.atproto\.(admin\.(searchAccounts|updateAccountSigningKey)|temp\.(addReservedHandle|checkHandleAvailability|revokeAccountCredentials))$/,
    reason: "the reference passes them on to its app view, whatever the credential",
  },
  { method: /^com\.atproto\.sync\.subscribeRepos$/, reason: "a websocket: `sync::subscribe_repos` and `e2e/tests/it/firehose.rs` compare its frames with what stock consumers take" },
];
