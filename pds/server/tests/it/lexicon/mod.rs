//! `com.atproto.lexicon.*`.

mod resolve_lexicon;
