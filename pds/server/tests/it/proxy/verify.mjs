// Verifies a service token with the npm package of the reference implementation.
//
// usage: node verify.mjs FOLDER '{"token","aud","lxm","key"}'    where FOLDER/node_modules holds the package
// Prints the claims. `lxm` null: any method.
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'

const { resolve: find } = createRequire(join(resolve(process.argv[2]), 'package.json'))
const { verifyJwt } = await import(pathToFileURL(find('@atproto/xrpc-server')).href)
const { token, aud, lxm, key } = JSON.parse(process.argv[3])
process.stdout.write(JSON.stringify(await verifyJwt(token, aud, lxm, async () => key)))
