// The ways in which a good input is changed for one method: credentials, fields, the body, the verb, and whom it is about.
import { CREDENTIALS } from "./sides.mjs";

const json = { "content-type": "application/json" };
const set = (name, value) => (input) => ({ ...input, [name]: value });
const long = "x".repeat(3000);

/** The query string of parameters. */
export function query(params) {
  const text = new URLSearchParams();
  for (const [name, value] of Object.entries(params ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) text.append(name, typeof one === "object" ? JSON.stringify(one) : String(one));
  }
  return text.size ? `?${text}` : "";
}

/** What is sent with an input: of a query its parameters, of a procedure its body. */
function send(verb, input) {
  if (verb === "GET") return { query: query(input) };
  if (input === undefined) return {};
  return { body: JSON.stringify(input), headers: json };
}

const garbage = "✗ %\u0001";

function* ofQueryField(name, type, isThere) {
  if (isThere) yield [`${name} absent`, ({ [name]: _, ...rest }) => rest];
  yield [`${name} empty`, set(name, "")];
  yield [`${name} garbage`, set(name, garbage)];
  if (type === "integer") {
    yield [`${name} negative`, set(name, -1)];
    yield [`${name} a fraction`, set(name, 1.5)];
    yield [`${name} huge`, set(name, "99999999999999999999")];
  } else if (type !== "boolean") {
    yield [`${name} too long`, set(name, long)];
  }
  if (isThere) yield [`${name} twice`, (input) => set(name, [input[name], input[name]].flat())(input)];
}

function* ofInputField(name, type, isThere) {
  if (isThere) yield [`${name} absent`, ({ [name]: _, ...rest }) => rest];
  yield [`${name} null`, set(name, null)];
  yield [`${name} empty`, set(name, "")];
  yield [`${name} a list of numbers`, set(name, [7])];
  yield [`${name} an empty object`, set(name, {})];
  if (type === "integer") {
    yield [`${name} negative`, set(name, -1)];
    yield [`${name} a fraction`, set(name, 1.5)];
    yield [`${name} huge`, set(name, Number.MAX_SAFE_INTEGER)];
    return;
  }
  yield [`${name} a number`, set(name, 7)];
  if (type === "string") {
    yield [`${name} too long`, set(name, long)];
    yield [`${name} garbage`, set(name, garbage)];
  }
  if (type === "array") yield [`${name} an empty list`, set(name, [])];
}

/**
 * The cases of a method. `good` makes its input for one side, `fields` are those of its lexicon, each with its type.
 * Each case: name, credential, verb, and `make(at)`, what is sent to that side.
 */
export function* cases({ verb, credential, good, fields, raw, isAboutSomebody, isLarge, without = [] }) {
  const sent = (change) => (at) => (raw ? { body: raw.body(at), headers: { "content-type": raw.type } } : send(verb, change(good(at))));
  const one = (name, make, more = {}) => ({ name, credential, verb, make, ...more });
  const same = sent((input) => input);
  for (const name of Object.keys(CREDENTIALS)) yield one(`as ${name}`, same, { credential: name });

  const example = good({ ...PLACEHOLDER });
  if (isAboutSomebody) {
    for (const [name, words] of Object.entries(SUBJECTS)) {
      yield one(`about ${words}`, (at) => send(verb, good({ ...at, alice: at[name] ?? NOBODY, bob: at[name] ?? NOBODY })));
    }
  }
  for (const [name, type] of Object.entries(fields)) {
    const of = verb === "GET" ? ofQueryField : ofInputField;
    for (const [what, change] of of(name, type, name in (example ?? {}))) {
      if (!without.includes(what)) yield one(what, sent(change));
    }
  }
  const other = verb === "GET" ? "POST" : "GET";
  yield one("with the other verb", () => ({}), { verb: other });
  if (verb === "GET") {
    yield one("with an unknown parameter", sent(set("unknownParameter", "x")));
    yield one("with a broken query", (at) => ({ query: `${query(good(at)) || "?"}&%zz=%&=&x` }));
    return;
  }
  const body = (name, text, headers = json) => one(name, (at) => ({ body: typeof text === "function" ? text(at) : text, headers }));
  if (raw) {
    yield body("with an empty body", "", { "content-type": raw.type });
    yield body("with garbage", "garbage", { "content-type": raw.type });
    yield body("with text/html", raw.body, { "content-type": "text/html" });
    yield body("without a content type", raw.body, { "content-type": "" });
    return;
  }
  if (example === undefined) {
    yield body("with a body", "{}");
    return;
  }
  const text = (at) => JSON.stringify(good(at));
  yield one("with an unknown field", sent(set("unknownField", "x")));
  yield one("without a body", () => ({}));
  yield body("with an empty body", "");
  yield body("with a list as body", "[]");
  yield body("with a string as body", '"x"');
  yield body("with null as body", "null");
  yield body("with an empty object", "{}");
  yield body("with broken JSON", "{");
  yield body("with text behind the JSON", (at) => `${text(at)}x`);
  yield body("as text/plain", text, { "content-type": "text/plain" });
  yield body("without a content type", text, { "content-type": "" });
  yield body("with a charset", text, { "content-type": "application/json; charset=utf-8" });
  yield body("with the content type in capitals", text, { "content-type": "Application/JSON" });
  yield body("with a body that is called compressed", text, { ...json, "content-encoding": "gzip" });
  yield body("with an unknown coding", text, { ...json, "content-encoding": "x" });
  yield body("with a large body", (at) => JSON.stringify({ ...good(at), unknownField: "x".repeat(isLarge ? 1_100_000 : 200_000) }));
}

/** Whom a request can be about instead. */
const SUBJECTS = { tina: "a taken-down account", dave: "a deactivated account", dora: "a deleted account", nobody: "nobody" };
const NOBODY = {
  did: "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa",
  handle: "nobody-at-all.test",
  email: "nobody@mail.example.com",
  password: "a-long-password",
  uri: "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa/app.bsky.feed.post/3jzfcijpj2z2a",
  rkey: "3jzfcijpj2z2a",
  cid: "bafyreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq",
  blob: "bafkreiclp443lavogvhj3d2ob2cxbfuscni2k5jk7bebjzg7khl3esabwq",
};
/** For looking at the fields of an input only. */
const PLACEHOLDER = { domain: ".test", did: "did:web:localhost", alice: NOBODY, bob: NOBODY, erin: NOBODY };
