//! Changes to good inputs: values, their structure, their text, and how they are sent.

use serde_json::{Map, Value, json};

use super::{inputs::World, random::Random, wire::Request};

/// Texts that programs have stumbled over.
const HOSTILE: [&str; 34] = [
    "",
    " ",
    "\0",
    "a\0b",
    "\u{feff}",
    "\u{fffd}\u{ffff}",
    "\u{202e}abc",
    "e\u{301}\u{301}\u{301}",
    "👩‍👩‍👧‍👧",
    "İıſß",
    "null",
    "NaN",
    "-1",
    "0",
    "9223372036854775807",
    "9223372036854775808",
    "1e400",
    "%00%ff",
    "../../../etc/passwd",
    "' or 1=1 --",
    "%_\\",
    "x\r\nset-cookie: y",
    "<script>",
    "did:",
    "did:plc:",
    "did:web:localhost%3A1",
    "did:web:..",
    "did:key:z",
    "at://",
    "at://did:plc:aaaaaaaaaaaaaaaaaaaaaaaa//",
    "handle.invalid",
    "1970-01-01T00:00:00.000Z::",
    "-9999-12-31T23:59:60Z",
    "::",
];
/// What JSON can say and the values of the generator cannot. `{}` stands for a long repetition.
const RAW: [&str; 16] = [
    "1e999",
    "-1e-999",
    "1.5",
    "-0",
    "123456789012345678901234567890",
    "18446744073709551616",
    "01",
    "NaN",
    "\"\\ud800\"",
    "\"\\u0000\"",
    "\"\\u00",
    "{\"a\":1,\"a\":2}",
    "{\"$link\":\"x\"}",
    "{\"$bytes\":\"!\"}",
    "{\"$type\":\"blob\"}",
    "{\"__proto__\":{\"$type\":7}}",
];
const LENGTHS: [usize; 5] = [64, 300, 3_000, 40_000, 200_000];
const DEPTHS: [usize; 4] = [20, 127, 129, 20_000];
/// Marks text of JSON inside a string; the string's quotes go.
const MARK: &str = "\u{e000}";

const TYPES: [&str; 9] = [
    "application/json; charset=utf-16",
    "APPLICATION/JSON",
    "text/plain",
    "application/vnd.ipld.car",
    "multipart/form-data; boundary=x",
    "image/*",
    "*/*",
    ";",
    "",
];

/// Changes a value in one to three places.
pub(super) fn change(value: &mut Value, world: &World, random: &mut Random) {
    for _ in 0..=random.below(3) {
        let (mut at, mut from) = (random.below(count(value)), random.below(count(value)));
        let other = nth(value, &mut from).cloned();
        if let Some(place) = nth(value, &mut at) {
            change_one(place, other, world, random);
        }
    }
}

fn change_one(place: &mut Value, other: Option<Value>, world: &World, random: &mut Random) {
    *place = match random.below(13) {
        0 => Value::Null,
        1 => random
            .pick(&[json!(true), json!(0), json!(""), json!([]), json!({}), json!(i64::MIN), json!(u64::MAX)])
            .clone(),
        2 => (*random.pick(&HOSTILE)).into(),
        3 => raw(random.pick::<&str>(&RAW)),
        4 => return remove_one(place, random),
        5 => return add_one(place, random),
        6 => json!([place.take()]),
        7 => {
            let depth = *random.pick(&DEPTHS);
            let (open, close) = *random.pick(&[("[", "]"), ("{\"a\":", "}")]);
            raw(&format!("{}1{}", open.repeat(depth), close.repeat(depth)))
        }
        8 => long(random).into(),
        9 => return repeat(place, random),
        10 => other.unwrap_or(Value::Null),
        11 => random.pick(&world.cids).clone().into(),
        _ => match &mut *place {
            Value::String(text) => edited(text.as_bytes(), random).into(),
            Value::Number(number) => {
                let number = number.as_i64().unwrap_or(0);
                let near = [
                    number.wrapping_add(1),
                    number.wrapping_sub(1),
                    number.wrapping_neg(),
                    0,
                    i64::MAX,
                    i64::MIN,
                    1 << 31,
                ];
                (*random.pick(&near)).into()
            }
            other => other.take(),
        },
    };
}

/// A place for text of JSON.
fn raw(text: &str) -> Value {
    format!("{MARK}{text}{MARK}").into()
}

fn long(random: &mut Random) -> String {
    let length = *random.pick(&LENGTHS);
    random.pick(&["x", "é", "a.", "%", "\\", "\"", "\u{1}", "🧑‍🧑‍🧒"]).repeat(length / 2)
}

/// A text with a few bytes changed, as text.
fn edited(text: &[u8], random: &mut Random) -> String {
    let mut text = text.to_vec();
    for _ in 0..=random.below(3) {
        edit(&mut text, random);
    }
    String::from_utf8_lossy(&text).into_owned()
}

fn edit(bytes: &mut Vec<u8>, random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match random.below(5) {
        0 if at < bytes.len() => bytes[at] ^= 1 << random.below(8),
        1 if at < bytes.len() => _ = bytes.remove(at),
        2 => bytes.truncate(at),
        3 => {
            let byte = *random.pick(&[0, 0xff, 0xc3, b'\\', b'"', b'/', b'.', b':', b'%', b'{', b']', b' ', b'A']);
            bytes.insert(at, byte);
        }
        _ => {
            let piece = bytes[at..].iter().take(16).copied().collect::<Vec<_>>();
            bytes.splice(at..at, piece);
        }
    }
}

fn remove_one(place: &mut Value, random: &mut Random) {
    match place {
        Value::Object(object) => {
            let at = random.below(object.len());
            if let Some(name) = object.keys().nth(at).cloned() {
                object.remove(&name);
            }
        }
        Value::Array(items) if !items.is_empty() => _ = items.remove(random.below(items.len())),
        _ => *place = Value::Null,
    }
}

fn add_one(place: &mut Value, random: &mut Random) {
    let name = *random.pick(&["unknown", "", "$type", "$link", "__proto__", "a\0b", "rkey", "did", "cursor"]);
    let value = *random.pick(&HOSTILE);
    match place {
        Value::Object(object) => _ = object.insert(name.into(), value.into()),
        Value::Array(items) => items.push(value.into()),
        _ => *place = json!({name: value}),
    }
}

/// Many elements like one that is there.
fn repeat(place: &mut Value, random: &mut Random) {
    const MOST_BYTES: usize = 1 << 20;
    let item = match &*place {
        Value::Array(items) => items.first().cloned().unwrap_or(Value::Null),
        other => other.clone(),
    };
    let count = (*random.pick(&[2, 30, 300, 3_000])).min(MOST_BYTES / item.to_string().len());
    *place = match place {
        Value::Object(_) => (0..count).map(|n| (n.to_string(), item.clone())).collect::<Map<_, _>>().into(),
        _ => vec![item; count].into(),
    };
}

fn count(value: &Value) -> usize {
    1 + match value {
        Value::Array(items) => items.iter().map(count).sum(),
        Value::Object(object) => object.values().map(count).sum(),
        _ => 0,
    }
}

/// The value that is reached after so many others.
fn nth<'a>(value: &'a mut Value, left: &mut usize) -> Option<&'a mut Value> {
    if *left == 0 {
        return Some(value);
    }
    *left -= 1;
    match value {
        Value::Array(items) => items.iter_mut().find_map(|item| nth(item, left)),
        Value::Object(object) => object.values_mut().find_map(|item| nth(item, left)),
        _ => None,
    }
}

/// The text of a value; now and then broken as text.
pub(super) fn json_text(value: &Value, random: &mut Random) -> Vec<u8> {
    let text = value.to_string();
    // What is marked was written as a string, with escapes.
    let mut pieces = text.split(MARK);
    let mut out = pieces.next().unwrap_or_default().to_owned();
    while let (Some(raw), rest) = (pieces.next(), pieces.next()) {
        let unquoted: String = serde_json::from_str(&format!("\"{raw}\"")).unwrap_or_default();
        match rest {
            Some(rest) if out.ends_with('"') && rest.starts_with('"') => {
                out.pop();
                out.push_str(&unquoted);
                out.push_str(&rest[1..]);
            }
            rest => out.push_str(rest.unwrap_or_default()),
        }
    }
    let mut bytes = out.into_bytes();
    if random.one_in(5) {
        break_text(&mut bytes, random);
    }
    bytes
}

/// What may stand behind a query, or in its place.
const GARBAGE: [&[u8]; 16] = [
    b"?%",
    b"&%zz=%",
    b"&did=%ff%fe",
    b"&=&&&==",
    b"&cursor=%00",
    b"+",
    b"&limit=+1",
    b"&limit=0x10",
    b"&did[]=x",
    b"&a=%E2%28%A1",
    b";x=y",
    b"#fragment",
    b"&%F0%9F%A7%91=1",
    b"&cursor",
    b"\xff",
    b" x",
];

fn break_text(bytes: &mut Vec<u8>, random: &mut Random) {
    match random.below(7) {
        0 => bytes.extend(b"}"),
        1 => bytes.extend(bytes.clone()),
        2 => _ = bytes.splice(0..0, *b"\xef\xbb\xbf"),
        3 => _ = bytes.splice(0..0, vec![b' '; *random.pick(&LENGTHS)]),
        4 => *bytes = (0..random.below(300)).map(|_| random.byte()).collect(),
        5 => {
            // A member twice.
            let at = random.below(bytes.len());
            let end = bytes.iter().skip(at).position(|byte| *byte == b',').map_or(bytes.len(), |n| at + n);
            let piece = bytes[at..end].to_vec();
            bytes.splice(at..at, piece);
        }
        _ => (0..=random.below(4)).for_each(|_| edit(bytes, random)),
    }
}

/// The query string of these parameters.
pub(super) fn query_text(params: &Value, random: &mut Random, changed: bool) -> Vec<u8> {
    let mut pairs = Vec::new();
    for (name, value) in params.as_object().into_iter().flatten() {
        let values = match value {
            Value::Array(items) => items.clone(),
            value => vec![value.clone()],
        };
        for value in values {
            let text = match value {
                Value::String(text) => text.replace(MARK, ""),
                value => value.to_string(),
            };
            pairs.push((name.clone().into_bytes(), text.into_bytes()));
        }
    }
    if changed && random.one_in(2) {
        change_pairs(&mut pairs, random);
    }
    let encode = |bytes: &[u8]| -> Vec<u8> {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:,/".contains(byte);
        bytes
            .iter()
            .flat_map(|byte| if plain(byte) { vec![*byte] } else { format!("%{byte:02X}").into_bytes() })
            .collect()
    };
    let mut query = Vec::new();
    for (name, value) in pairs {
        query.push(if query.is_empty() { b'?' } else { b'&' });
        query.extend(encode(&name));
        query.push(b'=');
        query.extend(encode(&value));
    }
    if changed && random.one_in(4) {
        let garbage = *random.pick(&GARBAGE);
        if query.is_empty() {
            query.push(b'?');
        }
        query.extend(garbage);
    }
    query
}

fn change_pairs(pairs: &mut Vec<(Vec<u8>, Vec<u8>)>, random: &mut Random) {
    let at = random.below(pairs.len());
    match (random.below(6), pairs.get_mut(at)) {
        (0, Some(_)) => _ = pairs.remove(at),
        (1, Some(pair)) => {
            let again = pair.clone();
            pairs.push(again);
        }
        (2, Some((_, value))) => (0..=random.below(3)).for_each(|_| edit(value, random)),
        (3, Some((_, value))) => *value = random.pick(&HOSTILE).as_bytes().to_vec(),
        (4, Some((name, _))) => edit(name, random),
        _ => {
            let name = *random.pick(&["cursor", "limit", "did", "unknown", ""]);
            let value = long(random);
            // Beyond this a request's head is refused before anybody looks at it.
            pairs.push((name.into(), value.bytes().take(5_000).collect()));
        }
    }
}

/// Bytes that are no JSON: a file of a repository, an upload.
pub(super) fn change_bytes(bytes: &mut Vec<u8>, random: &mut Random) {
    match random.below(5) {
        0 => bytes.clear(),
        1 => *bytes = (0..random.below(4_000)).map(|_| random.byte()).collect(),
        2 => bytes.extend(bytes.clone()),
        _ => (0..=random.below(6)).for_each(|_| edit(bytes, random)),
    }
}

/// Sends it in another way than its method asks for.
pub(super) fn change_request(request: &mut Request, random: &mut Random) {
    match random.below(6) {
        0 => request.verb = *random.pick(&["GET", "POST", "HEAD", "PUT", "OPTIONS", "DELETE"]),
        1 => request.body = None,
        2 => request.headers.push(("content-encoding", (*random.pick(&["gzip", "zstd", "identity", "x"])).into())),
        3 => request.headers.retain(|(name, _)| *name != "content-type"),
        4 => {
            let (name, value) = *random.pick(&[
                ("atproto-proxy", "did:web:localhost%3A1#x"),
                ("atproto-proxy", "did:plc:aaaaaaaaaaaaaaaaaaaaaaaa#"),
                ("atproto-proxy", "#"),
                ("accept-language", "*;q=\u{e9},,;;"),
                ("atproto-accept-labelers", "did:plc:x;redact,,"),
                ("range", "bytes=18446744073709551616-0,-"),
                ("if-none-match", "\"\\"),
                ("origin", "null"),
                ("dpop", "a.b.c"),
                ("x-forwarded-for", "1.2.3.4, ::, x"),
            ]);
            request.headers.push((name, value.into()));
        }
        _ => {
            request.headers.retain(|(name, _)| *name != "content-type");
            request.headers.push(("content-type", (*random.pick(&TYPES)).into()));
        }
    }
}
