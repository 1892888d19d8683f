//! The block form of a node: `{e: [{k, p, t, v}], l}`. Each key omits the prefix that it shares with the previous key.

use std::sync::Arc;

use crate::{
    Cid,
    cbor::{Invalid, Reader, Writer},
    mst::{
        Error,
        node::{Child, Entry, Node, height, shared},
    },
};

/// Maximum length of a key in bytes: an NSID, a slash, a record key.
const MAX_KEY: usize = 317 + 1 + 512;

impl Node {
    /// The canonical block of the node.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Writer::with_capacity(64 + self.entries.len() * 128);
        out.map(2).text("e").array(self.entries.len());
        let mut before: &[u8] = &[];
        for (entry, right) in self.entries.iter().zip(&self.children[1..]) {
            let key = entry.key.as_bytes();
            let shared = shared(before, key);
            out.map(4).text("k").bytes(&key[shared..]).text("p").int(shared as i64);
            out.text("t").optional_link(right.cid().as_ref()).text("v").link(&entry.value);
            before = key;
        }
        out.text("l").optional_link(self.children[0].cid().as_ref());
        out.into_bytes()
    }

    /// Reads a block. The subtrees of the node are stubs. `level` follows from the parent; for a root it is `None` and follows from the keys.
    pub(crate) fn decode(cid: Cid, block: &[u8], level: Option<u8>) -> Result<Arc<Self>, Error> {
        let (entries, children) = parts(block).map_err(|_| Error::Invalid(cid))?;
        let own = entries.first().map(|entry| height(&entry.key));
        let level = level.or(own).unwrap_or(0);
        let sorted = entries.windows(2).all(|pair| pair[0].key.as_bytes() < pair[1].key.as_bytes());
        if !sorted || entries.iter().any(|entry| height(&entry.key) != level) {
            return Err(Error::Invalid(cid));
        }
        if level == 0 && children.iter().any(|child| !child.is_empty()) {
            return Err(Error::Invalid(cid));
        }
        Ok(Self::known(level, entries, children, cid))
    }
}

fn stub(cid: Cid) -> Child {
    Child::Stub(Box::new(cid))
}

fn parts(block: &[u8]) -> Result<(Vec<Entry>, Vec<Child>), Invalid> {
    let mut reader = Reader::new(block);
    if reader.map()? != 2 {
        return Err(reader.invalid());
    }
    let count = reader.key("e")?.array()?;
    // An entry takes more than 40 bytes, so a false count is refused before memory is allocated for it.
    if count > block.len() / 40 {
        return Err(reader.invalid());
    }
    let (mut entries, mut children) = (Vec::<Entry>::with_capacity(count), vec![Child::Empty]);
    for _ in 0..count {
        if reader.map()? != 4 {
            return Err(reader.invalid());
        }
        let suffix = reader.key("k")?.bytes()?;
        let shared = reader.key("p")?.uint()? as usize;
        let before = entries.last().map_or(&[][..], |entry| entry.key.as_bytes());
        let prefix = before.get(..shared).ok_or(reader.invalid())?;
        if shared + suffix.len() > MAX_KEY || (before.get(shared).is_some() && before.get(shared) == suffix.first()) {
            return Err(reader.invalid());
        }
        let key = [prefix, suffix].concat();
        let key = std::str::from_utf8(&key).map_err(|_| reader.invalid())?.into();
        children.push(reader.key("t")?.optional_link()?.map_or(Child::Empty, stub));
        entries.push(Entry { key, value: reader.key("v")?.link()? });
    }
    children[0] = reader.key("l")?.optional_link()?.map_or(Child::Empty, stub);
    reader.end()?;
    Ok((entries, children))
}
