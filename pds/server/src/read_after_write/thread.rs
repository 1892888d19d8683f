//! Threads.

use serde_json::{Value, json};

use super::{Local, LocalRecord, Malformed, Viewer};

const THREAD: &str = "app.bsky.feed.defs#threadViewPost";

impl Viewer<'_> {
    /// The answer of `getPostThread`.
    pub(super) fn post_thread(&self, original: &mut Value, local: &Local) -> Result<(), Malformed> {
        match original.get_mut("thread") {
            Some(thread) if thread["$type"] == THREAD => self.add(thread, local.posts.iter()),
            _ => Ok(()),
        }
    }

    /// Adds the posts that are replies in the thread.
    fn add<'p>(&self, thread: &mut Value, posts: impl Iterator<Item = &'p LocalRecord>) -> Result<(), Malformed> {
        let own = thread["post"]["uri"].clone();
        let root = thread["post"]["record"]["reply"]["root"]["uri"].clone();
        for post in posts {
            let of = &post.value["reply"]["root"]["uri"];
            if of.is_string() && (*of == own || *of == root) {
                self.add_reply(thread, post)?;
            }
        }
        Ok(())
    }

    fn add_reply(&self, thread: &mut Value, post: &LocalRecord) -> Result<(), Malformed> {
        let is_parent = post.value["reply"]["parent"]["uri"] == thread["post"]["uri"];
        let Some(view) = thread.as_object_mut() else { return Err(Malformed) };
        if is_parent {
            let replies = view.entry("replies").or_insert_with(|| json!([]));
            replies.as_array_mut().ok_or(Malformed)?.insert(0, self.thread(post)?);
            return Ok(());
        }
        let Some(replies) = view.get_mut("replies").and_then(Value::as_array_mut) else { return Ok(()) };
        replies.iter_mut().filter(|reply| reply["$type"] == THREAD).try_for_each(|reply| self.add_reply(reply, post))
    }

    fn thread(&self, post: &LocalRecord) -> Result<Value, Malformed> {
        Ok(json!({"$type": THREAD, "post": self.post(post)?}))
    }
}

/// The answer of `getPostThread` for a post that the app view does not know yet; `None` if it is not among the new ones. Its parents are missing.
///
/// # Errors
/// When a record is malformed.
pub fn rebuild(viewer: &Viewer<'_>, local: &Local, uri: &str) -> Result<Option<Value>, Malformed> {
    let Some(post) = local.posts.iter().find(|post| post.uri == uri) else { return Ok(None) };
    let mut thread = viewer.thread(post)?;
    viewer.add(&mut thread, local.posts.iter().filter(|post| post.uri != uri))?;
    Ok(Some(json!({"thread": thread})))
}

/// The post that the first post of a thread answers.
#[must_use]
pub fn highest_parent(answer: &Value) -> Option<&str> {
    answer["thread"]["post"]["record"]["reply"]["parent"]["uri"].as_str()
}

/// Puts the thread of another answer above the thread.
pub fn set_parent(answer: &mut Value, parents: &mut Value) {
    if let (Some(thread), Some(parent)) = (answer.get_mut("thread"), parents.get_mut("thread")) {
        thread["parent"] = parent.take();
    }
}
