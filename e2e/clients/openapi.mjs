// Validates the OpenAPI document on standard input against the schema of its version. Prints what is wrong, and fails if something is.
import { text } from 'node:stream/consumers'
import { Validator } from '@seriousme/openapi-schema-validator'

const document = JSON.parse(await text(process.stdin))
const validator = new Validator()
const result = await validator.validate(document)
if (!result.valid) {
  console.error(JSON.stringify(result.errors, null, 2).slice(0, 4000))
  process.exit(1)
}
console.log(`a valid document of OpenAPI ${validator.version} with ${Object.keys(document.paths).length} paths`)
