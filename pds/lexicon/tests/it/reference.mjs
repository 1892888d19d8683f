// Reads one JSON array of { collection, record } and prints, for each, whether the reference accepts it: an array of
// null or the reason.
//
// usage: node reference.mjs FOLDER    where FOLDER/node_modules holds @atproto/api

import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const entry = createRequire(join(resolve(process.argv[2]), 'package.json')).resolve('@atproto/api')
const { jsonToLex, schemas } = await import(pathToFileURL(entry).href)
const { Lexicons } = await import(pathToFileURL(createRequire(entry).resolve('@atproto/lexicon')).href)
const lexicons = new Lexicons(structuredClone(schemas))

const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const answers = JSON.parse(Buffer.concat(chunks)).map(({ collection, record }) => {
  try {
    lexicons.assertValidRecord(collection, jsonToLex(record))
    return null
  } catch (error) {
    return `${error.message}`
  }
})
process.stdout.write(JSON.stringify(answers))
