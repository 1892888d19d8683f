//! Which answers are changed, and how.

use serde_json::Value;

use super::{Local, Malformed, Viewer};

/// How local records are added to the answer of a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    Profile,
    Profiles,
    AuthorFeed,
    ActorLikes,
    Timeline,
    PostThread,
}

impl Merge {
    /// Whether the answer of the method shows posts, and not only profiles.
    #[must_use]
    pub fn shows_posts(self) -> bool {
        matches!(self, Self::AuthorFeed | Self::Timeline | Self::PostThread)
    }

    /// Adds the local records to an answer of the app view that matches its lexicon.
    ///
    /// # Errors
    /// When a record is malformed. The answer may have been changed in part.
    pub fn apply(self, answer: &mut Value, local: &Local, viewer: &Viewer<'_>) -> Result<(), Malformed> {
        match self {
            Self::Profile => viewer.profile(answer, local),
            Self::Profiles => viewer.profiles(answer, local),
            Self::AuthorFeed => viewer.author_feed(answer, local),
            Self::ActorLikes => viewer.actor_likes(answer, local),
            Self::Timeline => viewer.timeline(answer, local),
            Self::PostThread => viewer.post_thread(answer, local),
        }
    }
}
