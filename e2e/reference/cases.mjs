// The methods that are compared with the reference, each with the credential that it asks for and a good input.
//
// `input` gets one side's state and returns parameters (of a query) or the body (of a procedure). Strings in it that are made anew with each call
// come from `fresh`, so that a case can be repeated.

let count = 0;
const fresh = (prefix) => `${prefix}${(count++).toString(36)}${Date.now().toString(36)}`.slice(0, 17);
const record = (text) => ({ $type: "app.bsky.feed.post", text, createdAt: "2026-01-01T00:00:00.000Z" });
const thing = { $type: "com.example.thing", n: 1 };

/** One row for each method: NSID, verb, credential, input. */
export const METHODS = [
  ["com.atproto.server.describeServer", "GET", "none", () => ({})],
  ["com.atproto.server.createAccount", "POST", "none", (at) => {
    const name = fresh("c");
    return { handle: `${name}${at.domain}`, email: `${name}@mail.test`, password: "a-long-password" };
  }],
  ["com.atproto.server.createSession", "POST", "none", (at) => ({ identifier: at.alice.handle, password: at.alice.password })],
  ["com.atproto.server.getSession", "GET", "access", () => ({})],
  ["com.atproto.server.refreshSession", "POST", "refresh", () => undefined],
  ["com.atproto.server.createAppPassword", "POST", "full", () => ({ name: fresh("app") })],
  ["com.atproto.server.listAppPasswords", "GET", "access", () => ({})],
  ["com.atproto.server.revokeAppPassword", "POST", "access", () => ({ name: "none of this name" })],
  ["com.atproto.server.createInviteCode", "POST", "admin", () => ({ useCount: 1 })],
  ["com.atproto.server.createInviteCodes", "POST", "admin", () => ({ codeCount: 1, useCount: 1 })],
  ["com.atproto.server.getAccountInviteCodes", "GET", "full", () => ({})],
  ["com.atproto.server.getServiceAuth", "GET", "access", () => ({ aud: "did:web:service.test", lxm: "app.bsky.feed.getTimeline" })],
  ["com.atproto.server.checkAccountStatus", "GET", "access", () => ({})],
  ["com.atproto.server.activateAccount", "POST", "full", () => undefined],
  ["com.atproto.server.requestAccountDelete", "POST", "full", () => undefined],
  ["com.atproto.server.deleteAccount", "POST", "none", (at) => ({ did: at.alice.did, password: at.alice.password, token: "AAAAA-BBBBB" })],
  ["com.atproto.server.requestEmailConfirmation", "POST", "access", () => undefined],
  ["com.atproto.server.confirmEmail", "POST", "access", (at) => ({ email: at.alice.email, token: "AAAAA-BBBBB" })],
  ["com.atproto.server.requestEmailUpdate", "POST", "full", () => undefined],
  ["com.atproto.server.updateEmail", "POST", "full", (at) => ({ email: at.alice.email })],
  ["com.atproto.server.requestPasswordReset", "POST", "none", (at) => ({ email: at.alice.email })],
  ["com.atproto.server.resetPassword", "POST", "none", () => ({ token: "AAAAA-BBBBB", password: "another-password" })],
  ["com.atproto.server.reserveSigningKey", "POST", "none", () => ({})],
  ["com.atproto.identity.resolveHandle", "GET", "none", (at) => ({ handle: at.alice.handle })],
  ["com.atproto.identity.updateHandle", "POST", "access", (at) => ({ handle: at.alice.handle })],
  ["com.atproto.identity.getRecommendedDidCredentials", "GET", "access", () => ({})],
  ["com.atproto.identity.requestPlcOperationSignature", "POST", "full", () => undefined],
  ["com.atproto.identity.signPlcOperation", "POST", "full", () => ({ token: "AAAAA-BBBBB" })],
  ["com.atproto.identity.submitPlcOperation", "POST", "access", () => ({ operation: {} })],
  ["com.atproto.repo.createRecord", "POST", "access", (at) => ({ repo: at.alice.did, collection: "com.example.thing", record: thing })],
  ["com.atproto.repo.putRecord", "POST", "access", (at) => ({ repo: at.alice.did, collection: "com.example.thing", rkey: fresh("k"), record: thing })],
  ["com.atproto.repo.deleteRecord", "POST", "access", (at) => ({ repo: at.alice.did, collection: "com.example.thing", rkey: "none" })],
  ["com.atproto.repo.applyWrites", "POST", "access", (at) => ({
    repo: at.alice.did,
    writes: [{ $type: "com.atproto.repo.applyWrites#create", collection: "com.example.thing", value: thing }],
  })],
  ["com.atproto.repo.getRecord", "GET", "none", (at) => ({ repo: at.alice.did, collection: "app.bsky.feed.post", rkey: at.alice.rkey })],
  ["com.atproto.repo.listRecords", "GET", "none", (at) => ({ repo: at.alice.did, collection: "app.bsky.feed.post", limit: 10 })],
  ["com.atproto.repo.describeRepo", "GET", "none", (at) => ({ repo: at.alice.did })],
  ["com.atproto.repo.listMissingBlobs", "GET", "access", () => ({})],
  ["com.atproto.sync.getLatestCommit", "GET", "none", (at) => ({ did: at.alice.did })],
  ["com.atproto.sync.getRepoStatus", "GET", "none", (at) => ({ did: at.alice.did })],
  ["com.atproto.sync.getRecord", "GET", "none", (at) => ({ did: at.alice.did, collection: "app.bsky.feed.post", rkey: at.alice.rkey })],
  ["com.atproto.sync.getRepo", "GET", "none", (at) => ({ did: at.alice.did })],
  ["com.atproto.sync.getBlocks", "GET", "none", (at) => ({ did: at.alice.did, cids: [at.alice.cid] })],
  ["com.atproto.sync.getBlob", "GET", "none", (at) => ({ did: at.alice.did, cid: at.alice.blob })],
  ["com.atproto.sync.listBlobs", "GET", "none", (at) => ({ did: at.alice.did })],
  ["com.atproto.sync.listRepos", "GET", "none", () => ({ limit: 5 })],
  ["com.atproto.sync.getHead", "GET", "none", (at) => ({ did: at.alice.did })],
  ["com.atproto.sync.getCheckout", "GET", "none", (at) => ({ did: at.alice.did })],
  ["com.atproto.admin.getSubjectStatus", "GET", "admin", (at) => ({ did: at.alice.did })],
  ["com.atproto.admin.updateSubjectStatus", "POST", "admin", (at) => ({
    subject: { $type: "com.atproto.admin.defs#repoRef", did: at.bob.did },
    takedown: { applied: false },
  })],
  ["com.atproto.admin.getAccountInfo", "GET", "admin", (at) => ({ did: at.alice.did })],
  ["com.atproto.admin.getAccountInfos", "GET", "admin", (at) => ({ dids: [at.alice.did] })],
  ["com.atproto.admin.getInviteCodes", "GET", "admin", () => ({})],
  ["com.atproto.admin.disableInviteCodes", "POST", "admin", () => ({ codes: [] })],
  ["com.atproto.admin.disableAccountInvites", "POST", "admin", (at) => ({ account: at.bob.did })],
  ["com.atproto.admin.enableAccountInvites", "POST", "admin", (at) => ({ account: at.bob.did })],
  ["com.atproto.admin.updateAccountEmail", "POST", "admin", (at) => ({ account: at.bob.did, email: at.bob.email })],
  ["com.atproto.admin.updateAccountHandle", "POST", "admin", (at) => ({ did: at.bob.did, handle: at.bob.handle })],
  ["com.atproto.admin.updateAccountPassword", "POST", "admin", (at) => ({ did: at.bob.did, password: at.bob.password })],
  ["com.atproto.admin.deleteAccount", "POST", "admin", () => ({ did: "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa" })],
  ["com.atproto.admin.sendEmail", "POST", "admin", (at) => ({ recipientDid: at.bob.did, senderDid: at.alice.did, content: "Hello" })],
  ["com.atproto.temp.checkSignupQueue", "GET", "access", () => ({})],
];

export { fresh, record };
