// Makes reference.json: answers of the app view, records that it has not seen, and what the handlers of the reference implementation make of them.
//
// usage: node reference.mjs FOLDER > reference.json    where FOLDER/node_modules holds `@atproto/pds` (bench/reference/install)
import { join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { pathToFileURL } from 'node:url'

const packages = join(resolve(process.argv[2]), 'node_modules/@atproto')
const load = (path) => import(pathToFileURL(join(packages, path)).href)
const { jsonToLex, lexToJson } = await load('lex-json/dist/index.js')
const { AtUri } = await load('syntax/dist/index.js')
const { LocalViewer } = await load('pds/dist/read-after-write/viewer.js')
const { ImageUrlBuilder } = await load('pds/dist/image/image-url-builder.js')
const { BskyAppView } = await load('pds/dist/bsky-app-view.js')

const DID = 'did:plc:ewvi7nxzyoun6zhxrhs64oiz'
const OTHER = 'did:plc:44ybard66vv44zksje25o7dz'
const CID = 'bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq'
const BLOB = 'bafkreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq'
const REV = '3lzzzzzzzzz22'
const at = (minute) => `2026-01-01T00:${String(minute).padStart(2, '0')}:00.000Z`
const uri = (did, rkey, collection = 'app.bsky.feed.post') => `at://${did}/${collection}/${rkey}`
const image = () => ({ $type: 'blob', ref: { $link: BLOB }, mimeType: 'image/png', size: 5 })
const author = (did) => ({ did, handle: did === DID ? 'alice.test' : 'bob.test', displayName: 'Old name', avatar: 'https://old.test/avatar' })
const post = (did, rkey, minute, reply) => ({
  uri: uri(did, rkey), cid: CID, author: author(did), indexedAt: at(minute),
  record: { $type: 'app.bsky.feed.post', text: rkey, createdAt: at(minute), ...(reply && { reply }) },
})
const item = (did, rkey, minute) => ({ post: post(did, rkey, minute) })
const strong = (target) => ({ uri: target, cid: CID })
const reply = (root, parent) => ({ root: strong(root), parent: strong(parent) })
const written = (rkey, minute, more = {}) => ({
  uri: uri(DID, rkey), cid: CID, indexedAt: at(minute),
  value: { $type: 'app.bsky.feed.post', text: rkey, createdAt: at(minute), ...more },
})
const embedded = (embed) => ({ embed })
const quote = (target) => ({ $type: 'app.bsky.embed.record', record: strong(target) })
const images = { $type: 'app.bsky.embed.images', images: [{ image: image(), alt: 'a', aspectRatio: { width: 1, height: 2 } }, { image: image(), alt: '' }] }
const link = { $type: 'app.bsky.embed.external', external: { uri: 'https://a.test', title: 't', description: 'd', thumb: image() } }
const bare = { $type: 'app.bsky.embed.external', external: { uri: 'https://a.test', title: 't', description: 'd' } }

const quoted = {
  [uri(OTHER, 'q1')]: { posts: [{ ...post(OTHER, 'q1', 1), labels: [], embed: { $type: 'app.bsky.embed.images#view', images: [] } }] },
  [uri(OTHER, 'gone')]: { posts: [] },
  [uri(OTHER, 'feed', 'app.bsky.feed.generator')]: {
    view: { uri: uri(OTHER, 'feed', 'app.bsky.feed.generator'), cid: CID, did: OTHER, creator: author(OTHER), displayName: 'Feed', indexedAt: at(1) },
    isOnline: true, isValid: true,
  },
  [uri(OTHER, 'list', 'app.bsky.graph.list')]: {
    list: { uri: uri(OTHER, 'list', 'app.bsky.graph.list'), cid: CID, creator: author(OTHER), name: 'List', purpose: 'app.bsky.graph.defs#curatelist', indexedAt: at(1) },
    items: [],
  },
}
const full = { $type: 'app.bsky.actor.profile', displayName: 'New name', description: 'New text', avatar: image(), banner: image() }
const empty = { $type: 'app.bsky.actor.profile' }
const profile = (value) => ({ uri: uri(DID, 'self', 'app.bsky.actor.profile'), cid: CID, indexedAt: at(30), value })
const view = (did) => ({ ...author(did), description: 'Old text', banner: 'https://old.test/banner', followersCount: 3 })
const all = [
  written('n1', 31), written('n2', 32, embedded(images)), written('n3', 33, embedded(link)), written('n4', 34, embedded(bare)),
  written('n5', 35, embedded(quote(uri(OTHER, 'q1')))), written('n6', 36, embedded(quote(uri(OTHER, 'gone')))),
  written('n7', 37, embedded(quote(uri(OTHER, 'feed', 'app.bsky.feed.generator')))),
  written('n8', 38, embedded(quote(uri(OTHER, 'list', 'app.bsky.graph.list')))),
  written('n9', 39, embedded({ $type: 'app.bsky.embed.recordWithMedia', record: quote(uri(OTHER, 'q1')), media: images })),
  written('n0', 40, embedded({ $type: 'app.bsky.embed.recordWithMedia', record: quote(uri(OTHER, 'x', 'com.example.thing')), media: bare })),
]
const [root, second] = [uri(OTHER, 'root'), uri(OTHER, 'second')]
const node = (value, more = {}) => ({ $type: 'app.bsky.feed.defs#threadViewPost', post: value, ...more })
const thread = node(post(OTHER, 'root', 1), {
  replies: [
    node(post(OTHER, 'second', 2, reply(root, root)), { replies: [] }),
    { $type: 'app.bsky.feed.defs#notFoundPost', uri: uri(OTHER, 'missing'), notFound: true },
    node(post(OTHER, 'third', 3, reply(root, root))),
  ],
})
const replies = [
  written('r1', 31, { reply: reply(root, root) }), written('r2', 32, { reply: reply(root, second) }),
  written('r3', 33, { reply: reply(root, uri(DID, 'r2')) }), written('r4', 34, { reply: reply(root, uri(OTHER, 'third')) }),
  written('r5', 35, { reply: reply(uri(OTHER, 'elsewhere'), uri(OTHER, 'elsewhere')) }), written('r6', 36),
]
const old = [item(OTHER, 'o3', 50), item(DID, 'o2', 33), item(OTHER, 'o1', 20)]

const cases = [
  ['a profile', 'actor.getProfile', view(DID), { profile: profile(full) }],
  ['a profile without anything', 'actor.getProfile', view(DID), { profile: profile(empty) }],
  ['the profile of another account', 'actor.getProfile', view(OTHER), { profile: profile(full) }],
  ['profiles', 'actor.getProfiles', { profiles: [view(OTHER), view(DID)] }, { profile: profile(full) }],
  ['a timeline', 'feed.getTimeline', { feed: old, cursor: 'c' }, { posts: all, current: full }],
  ['an empty timeline', 'feed.getTimeline', { feed: [] }, { posts: [written('n1', 31)] }],
  ['a timeline that ends after the posts', 'feed.getTimeline', { feed: [item(OTHER, 'o4', 55)] }, { posts: all }],
  ['the feed of the account', 'feed.getAuthorFeed', { feed: [item(DID, 'o2', 33), item(OTHER, 'o1', 20)] }, { profile: profile(full), posts: all, current: full }],
  ['a feed that begins with a repost', 'feed.getAuthorFeed', {
    feed: [{ ...item(OTHER, 'o3', 50), reason: { $type: 'app.bsky.feed.defs#reasonRepost', by: author(DID), indexedAt: at(51) } }, item(DID, 'o2', 33)],
  }, { posts: [written('n1', 41)] }],
  ['the feed of another account', 'feed.getAuthorFeed', { feed: [item(OTHER, 'o3', 50), item(DID, 'o2', 33)] }, { profile: profile(full), posts: all }],
  ['a feed that begins with a pinned post', 'feed.getAuthorFeed', {
    feed: [{ ...item(DID, 'o3', 50), reason: { $type: 'app.bsky.feed.defs#reasonPin' } }],
  }, { posts: all }],
  ['likes', 'feed.getActorLikes', { feed: old }, { profile: profile(full), posts: all }],
  ['a thread', 'feed.getPostThread', { thread }, { posts: replies, current: full }],
  ['a thread from its middle', 'feed.getPostThread', { thread: node(post(OTHER, 'second', 2, reply(root, root))) }, { posts: replies }],
  ['a thread that is blocked', 'feed.getPostThread', {
    thread: { $type: 'app.bsky.feed.defs#blockedPost', uri: root, blocked: true, author: { did: OTHER } },
  }, { posts: replies }],
]

const output = []
for (const [name, method, original, { profile = null, posts = [], current = profile?.value ?? null }] of cases) {
  const nsid = `app.bsky.${method}`
  const lex = (record) => ({ uri: new AtUri(record.uri), cid: record.cid, indexedAt: record.indexedAt, record: jsonToLex(record.value) })
  const local = { count: posts.length + (profile ? 1 : 0), profile: profile && lex(profile), posts: posts.map(lex) }
  const appView = new BskyAppView({ url: 'https://api.test', did: 'did:web:api.test', cdnUrlPattern: 'https://cdn.test/%s/plain/%s/%s@jpeg' })
  appView.client.call = async (_, params) => jsonToLex(quoted[params.uris?.[0] ?? params.feed ?? params.list])
  const store = {
    did: DID,
    keypair: async () => ({ jwtAlg: 'ES256K', sign: async () => new Uint8Array(64) }),
    record: { getRecordsSinceRev: async () => local, getProfileRecord: async () => current && jsonToLex(current) },
  }
  const ctx = {
    bskyAppView: appView,
    authVerifier: { authorization: () => undefined },
    cfg: { bskyAppView: { url: 'https://api.test', did: 'did:web:api.test' }, proxy: { preferCompressed: false, maxResponseSize: 1e7 } },
    serviceAuthJwt: async () => 'token',
    actorStore: { read: (_, work) => work(store) },
    accountManager: { getAccount: async () => ({ did: DID, handle: 'alice.test' }) },
    localViewer: (reader) => new LocalViewer(reader, ctx.accountManager, new ImageUrlBuilder('pds.test', appView), appView),
    proxyAgent: {
      request: async () => ({
        statusCode: 200, headers: { 'content-type': 'application/json', 'atproto-repo-rev': REV }, body: Readable.from([JSON.stringify(original)]),
      }),
    },
  }
  const req = { method: 'GET', originalUrl: `/xrpc/${nsid}`, headers: {}, header: () => undefined }
  const registered = {}
  const { default: register } = await load(`pds/dist/api/app/bsky/${method.replace('.', '/')}.js`)
  register({ add: (_, { handler }) => (registered.handler = handler) }, ctx)
  const answer = await registered.handler({ req, params: {}, auth: { credentials: { did: DID } } })
  const body = answer.body ? lexToJson(answer.body) : JSON.parse((answer.buffer ?? Buffer.concat(await answer.stream.toArray())).toString())
  output.push({ name, method: nsid, original, profile, posts, current, expected: JSON.parse(JSON.stringify(body)) })
}
const head = JSON.stringify({ package: '@atproto/pds', did: DID, handle: 'alice.test', quoted }).slice(0, -1)
process.stdout.write(`${head},"cases":[\n${output.map((each) => JSON.stringify(each)).join(',\n')}\n]}\n`)
