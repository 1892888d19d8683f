//! `com.atproto.lexicon.*`.

mod resolve_lexicon;

pub use resolve_lexicon::resolve_lexicon;
