// Prints, as JSON, the schemas of records, of the methods below com.atproto and of SERVED in the pinned npm package
// @atproto/api, and every definition they reach.
//
// usage: node lexicon.mjs FOLDER    where FOLDER/node_modules holds the package
//
// Kept is what decides whether a record is valid; descriptions and the like go. A key or type that this script does not
// know stops it, so that a new rule of the Lexicon language is never lost in silence.

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const KEPT = {
  record: ['type', 'key', 'record'],
  object: ['type', 'required', 'nullable', 'properties'],
  array: ['type', 'items', 'minLength', 'maxLength'],
  union: ['type', 'refs', 'closed'],
  ref: ['type', 'ref'],
  blob: ['type', 'accept', 'maxSize'],
  bytes: ['type', 'minLength', 'maxLength'],
  boolean: ['type', 'const'],
  integer: ['type', 'const', 'enum', 'minimum', 'maximum'],
  string: ['type', 'format', 'const', 'enum', 'minLength', 'maxLength', 'minGraphemes', 'maxGraphemes'],
  'cid-link': ['type'],
  token: ['type'],
  unknown: ['type'],
  params: ['type', 'required', 'properties'],
  query: ['type', 'parameters', 'output', 'errors'],
  procedure: ['type', 'parameters', 'input', 'output', 'errors'],
  subscription: ['type', 'parameters', 'errors'],
}
const DROPPED = ['description', 'knownValues', 'message']
const METHODS = ['query', 'procedure', 'subscription']

// Methods of the app view that the server answers itself, or whose answers it changes.
const SERVED = [
  'app.bsky.actor.getPreferences',
  'app.bsky.actor.getProfile',
  'app.bsky.actor.getProfiles',
  'app.bsky.actor.putPreferences',
  'app.bsky.feed.getActorLikes',
  'app.bsky.feed.getAuthorFeed',
  'app.bsky.feed.getFeed',
  'app.bsky.feed.getPostThread',
  'app.bsky.feed.getTimeline',
  'app.bsky.notification.registerPush',
  'app.bsky.notification.unregisterPush',
]

const folder = resolve(process.argv[2])
const entry = createRequire(join(folder, 'package.json')).resolve('@atproto/api')
const { schemas } = await import(pathToFileURL(entry).href)
const { name, version } = JSON.parse(await readFile(join(dirname(dirname(entry)), 'package.json'), 'utf8'))

const source = new Map(schemas.map((document) => [document.id, document.defs]))
const kept = new Map()
for (const [id, defs] of source) {
  const type = defs.main?.type
  if (type === 'record' || (METHODS.includes(type) && (id.startsWith('com.atproto.') || SERVED.includes(id)))) keep(id, 'main')
}

const byName = ([a], [b]) => (a < b ? -1 : 1)
const documents = [...kept].sort(byName).map(([id, defs]) => ({ id, defs: Object.fromEntries([...defs].sort(byName)) }))
process.stdout.write(JSON.stringify({ package: name, version, documents }))

function keep(id, definition) {
  if (!kept.has(id)) kept.set(id, new Map())
  if (kept.get(id).has(definition)) return
  const schema = source.get(id)?.[definition]
  if (!schema) throw new Error(`no definition ${id}#${definition}`)
  kept.get(id).set(definition, undefined) // a definition may reach itself
  kept.get(id).set(definition, prune(schema, id, `${id}#${definition}`))
}

// Defaults are for readers, except those of parameters and inputs, which the server fills in.
function prune(schema, id, where, keepsDefaults = false) {
  const allowed = keepsDefaults && KEPT[schema.type] ? [...KEPT[schema.type], 'default'] : KEPT[schema.type]
  if (!allowed) throw new Error(`${where}: unknown type ${schema.type}`)
  const result = {}
  for (const [key, value] of Object.entries(schema)) {
    if (DROPPED.includes(key) || (key === 'default' && !keepsDefaults)) continue
    if (!allowed.includes(key)) throw new Error(`${where}: unknown key ${key} of ${schema.type}`)
    result[key] = value
  }
  if (schema.type === 'ref') result.ref = follow(schema.ref, id)
  if (schema.type === 'union') result.refs = schema.refs.map((ref) => follow(ref, id))
  if (schema.type === 'array') result.items = prune(schema.items, id, `${where}/items`, keepsDefaults)
  if (schema.type === 'record') result.record = prune(schema.record, id, `${where}/record`)
  for (const body of ['input', 'output']) {
    if (METHODS.includes(schema.type) && schema[body]) result[body] = pruneBody(schema[body], id, `${where}/${body}`, body === 'input')
  }
  if (METHODS.includes(schema.type)) {
    if (schema.parameters) result.parameters = prune(schema.parameters, id, `${where}/parameters`)
    if (schema.errors) result.errors = schema.errors.map(({ name }) => ({ name }))
  }
  if (schema.type === 'object' || schema.type === 'params') {
    const properties = Object.entries(schema.properties ?? {})
    const within = keepsDefaults || schema.type === 'params'
    const entries = properties.map(([key, value]) => [key, prune(value, id, `${where}/${key}`, within)])
    result.properties = Object.fromEntries(entries)
  }
  return result
}

function pruneBody({ encoding, schema }, id, where, isInput) {
  return schema ? { encoding, schema: prune(schema, id, where, isInput) } : { encoding }
}

// Keeps the target and gives its absolute name: "a.b.c" for a main definition, else "a.b.c#d".
function follow(ref, id) {
  const [document, definition = 'main'] = ref.replace(/^lex:/, '').split('#')
  keep(document || id, definition)
  return definition === 'main' ? document || id : `${document || id}#${definition}`
}
