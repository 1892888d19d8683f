//! pds/lexicon.
