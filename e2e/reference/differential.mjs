// Asks the product and the reference implementation the same questions and compares the answers: status, error name, kind of message, headers, content type
// and the shape of JSON.
//
// Usage: differential.mjs '{"servers": [{"name","url"}], "reference", "adminPassword", "only"?}'
// `servers` are those of the product, `reference` is the URL of the reference; both have the same app view and the same mail server. `only` is the end of
// an NSID. Prints one JSON line: {"questions", "methods", "unexpected": [{"case","server","aspect","ours","theirs","messages"}], "unused": [...],
// "unlisted": [...]}: differences that nobody intends, intended ones that were not seen, methods of the product that cases.mjs does not name.
import { METHODS, NOT_ASKED, PASSED_ON } from "./cases.mjs";
import { cases, query } from "./changes.mjs";
import { DIFFERENCES } from "./differences.mjs";
import { CREDENTIALS, call, side } from "./sides.mjs";

const { servers, reference, adminPassword, only = "" } = JSON.parse(process.argv[2]);

/** What clients read beside the body. Others, like dates and lengths, are each server's own. */
const HEADERS = [
  "access-control-allow-origin",
  "atproto-content-labelers",
  "atproto-repo-rev",
  "cache-control",
  "content-disposition",
  "content-security-policy",
  "retry-after",
  "www-authenticate",
  "x-content-type-options",
];

/** The shape of a JSON value: keys and types, not values. */
function shape(value) {
  if (Array.isArray(value)) return value.length ? [shape(value[0])] : [];
  if (value === null) return "null";
  if (typeof value !== "object") return typeof value;
  return Object.fromEntries(Object.keys(value).sort().map((key) => [key, shape(value[key])]));
}

const kind = (headers) => (headers.get("content-type") ?? "").split(";")[0];

/** A message without what differs between two servers; those about a schema are each library's own words. */
function message(text = "") {
  if (/^(Input|Params)\b/.test(text) || / at \$/.test(text) || /^Invalid \S+ params: /.test(text)) return "against the schema";
  return text
    .replace(/did:(plc|web):[\w.:%-]+/g, "DID")
    .replace(/\bbaf[a-z2-7]{50,}/g, "CID")
    .replace(/\b[\w-]+\.test\b/g, "HANDLE")
    .replace(/\d+/g, "N");
}

/** The aspects of an answer that are compared. */
function aspects({ status, headers, json }) {
  const isError = status >= 400;
  const said = HEADERS.filter((name) => headers.has(name)).map((name) => `${name}: ${headers.get(name).replace(/[2-7a-z]{13}/, "REV")}`);
  const vary = (headers.get("vary") ?? "").toLowerCase().split(/, */).filter((name) => name.startsWith("auth") || name.startsWith("atproto"));
  return {
    answer: isError ? `${status} ${json?.error}` : `${status} ${kind(headers)} ${json === undefined ? "" : JSON.stringify(shape(json))}`.trim(),
    message: isError ? message(json?.message) : "",
    headers: [...said, ...(vary.length ? [`vary: ${vary.sort()}`] : [])].join("; "),
  };
}

/** Everything that is asked about one method: verb, credential, account, and the cases. */
function* questions(paths) {
  for (const [nsid, credential, good, more = {}] of METHODS) {
    if (!nsid.endsWith(only)) continue;
    const operations = paths[`/xrpc/${nsid}`];
    const verb = operations.get ? "GET" : "POST";
    const operation = operations.get ?? operations.post;
    const properties = operation.requestBody?.content?.["application/json"]?.schema?.properties ?? {};
    const schemas = [...(operation.parameters ?? []).map((one) => [one.name, one.schema]), ...Object.entries(properties)];
    const fields = Object.fromEntries(schemas.map(([name, schema]) => [name, schema.type ?? "object"]));
    const text = good.toString();
    const isAboutSomebody = !more.isFinal && !more.raw && /at\.(alice|bob)/.test(text);
    for (const one of cases({ verb, credential, good, fields, isAboutSomebody, ...more })) yield { nsid, account: more.account ?? "alice", ...one };
  }
  for (const [nsid, verb, good] of PASSED_ON) {
    if (!nsid.endsWith(only)) continue;
    const make = (at) => (verb === "GET" ? { query: query(good(at)) } : { body: JSON.stringify(good(at)), headers: { "content-type": "application/json" } });
    for (const credential of Object.keys(CREDENTIALS)) yield { nsid, account: "alice", name: `as ${credential}`, credential, verb, make };
  }
}

async function ask(at, { nsid, name, account, credential, verb, make }) {
  const { headers, ...sent } = make(at);
  const proof = await CREDENTIALS[credential](at, at[account], nsid);
  try {
    return await call(at.url, nsid, verb, { ...sent, headers: { ...headers, ...proof } });
  } catch (error) {
    throw new Error(`${nsid} ${name} to ${at.name}: ${error.message}`, { cause: error });
  }
}

const without = (answer, fields = []) => {
  const json = { ...answer.json };
  for (const field of fields) delete json[field];
  return { ...answer, json };
};

/** Whether a row says what is different: a row with `more` or `less` allows these fields of the body and nothing else. */
function explains(known, aspect, { name, credential, ours, theirs }) {
  const [mine, other] = [aspects(ours)[aspect], aspects(theirs)[aspect]];
  if ((known.aspect ?? "answer") !== aspect || !known.case.test(name) || !(known.credential ?? /./).test(credential)) return false;
  if (known.more || known.less) return aspects(without(ours, known.more)).answer === aspects(without(theirs, known.less)).answer;
  return known.ours.test(mine) && known.theirs.test(other);
}

/** The differences between an answer of the product and one of the reference that are not listed. Adds to `used` those that are. */
function compare(name, credential, server, ours, theirs, used) {
  const [mine, other] = [aspects(ours), aspects(theirs)];
  const found = [];
  // Who is answered otherwise is told otherwise.
  const compared = mine.answer === other.answer ? ["message", "headers"] : ["answer"];
  for (const aspect of compared) {
    if (mine[aspect] === other[aspect]) continue;
    const intended = DIFFERENCES.find((known) => explains(known, aspect, { name, credential, ours, theirs }));
    if (intended) used.add(intended);
    else found.push({ case: name, server, aspect, ours: mine[aspect], theirs: other[aspect], messages: [ours.json?.message, theirs.json?.message] });
  }
  return found;
}

const { paths } = await (await fetch(`${servers[0].url}/openapi.json`)).json();
const [theirs, ...sides] = await Promise.all([
  side("reference", reference, adminPassword),
  ...servers.map(({ name, url }) => side(name, url, adminPassword)),
]);
const [unexpected, used, asked] = [[], new Set(), new Map()];
for (const question of questions(paths)) {
  const [answer, ...answers] = await Promise.all([theirs, ...sides].map((at) => ask(at, question)));
  const name = `${question.nsid} ${question.name}`;
  answers.forEach((own, n) => unexpected.push(...compare(name, question.credential, sides[n].name, own, answer, used)));
  asked.set(question.nsid, (asked.get(question.nsid) ?? 0) + 1);
}
const known = [...METHODS, ...PASSED_ON].map(([nsid]) => nsid);
const unlisted = Object.keys(paths)
  .map((path) => path.slice("/xrpc/".length))
  .filter((nsid) => !known.includes(nsid) && !NOT_ASKED.some(({ method }) => method.test(nsid)));
const unused = only ? [] : DIFFERENCES.filter((one) => !used.has(one)).map(({ reason, case: where }) => `${where}: ${reason}`);
const sum = [...asked.values()].reduce((all, one) => all + one, 0);
process.stdout.write(`${JSON.stringify({ questions: sum, methods: asked.size, unexpected, unused, unlisted })}\n`);
