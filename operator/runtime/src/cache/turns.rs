//! Lists take turns: a page is in memory twice while it is parsed, and whoever writes objects decides how large they are.

use std::sync::Arc;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt, stream};
use kube::runtime::watcher::{self, Event};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Watches that list at once.
const AT_ONCE: usize = 2;

/// The turns of all watches of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct ListTurns(Arc<Semaphore>);

impl Default for ListTurns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

struct Listing<K> {
    events: BoxStream<'static, watcher::Result<Event<K>>>,
    turns: ListTurns,
    lists: bool,
    turn: Option<OwnedSemaphorePermit>,
}

impl ListTurns {
    /// The same events, each list in its turn. To be put below the backoff of the watch: one that has failed holds no turn while it waits.
    pub fn limit<K: Send + 'static>(
        &self,
        events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
    ) -> BoxStream<'static, watcher::Result<Event<K>>> {
        let begin = Listing { events: events.boxed(), turns: self.clone(), lists: true, turn: None };
        stream::unfold(begin, |mut listing| async move {
            let event = listing.next().await?;
            Some((event, listing))
        })
        .boxed()
    }
}

impl<K> Listing<K> {
    async fn next(&mut self) -> Option<watcher::Result<Event<K>>> {
        if self.lists && self.turn.is_none() {
            self.turn = self.turns.0.clone().acquire_owned().await.ok();
        }
        let event = self.events.next().await?;
        match &event {
            // Comes before the first page is asked for.
            Ok(Event::Init) => self.lists = true,
            Ok(Event::InitDone) => (self.lists, self.turn) = (false, None),
            Err(_) => self.turn = None,
            Ok(_) => {}
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn as_many_lists_as_there_are_turns_and_a_watch_that_fails_holds_none() {
        let turns = ListTurns::default();
        let list = |events: Vec<watcher::Result<Event<u8>>>| turns.limit(stream::iter(events).chain(stream::pending()));
        let whole = || vec![Ok(Event::Init), Ok(Event::InitApply(1)), Ok(Event::InitDone), Ok(Event::Apply(2))];
        let (mut one, mut other, mut third) = (list(whole()), list(whole()), list(whole()));
        assert!(one.next().await.is_some() && other.next().await.is_some());
        assert!(futures::poll!(third.next()).is_pending());
        assert!(one.next().await.is_some() && one.next().await.is_some());
        for _ in 0..4 {
            assert!(third.next().await.is_some());
        }
        assert!(one.next().await.is_some(), "changes need no turn");

        let mut failing = list(vec![Ok(Event::Init), Err(watcher::Error::NoResourceVersion), Ok(Event::Init)]);
        assert!(failing.next().await.is_some() && failing.next().await.is_some());
        assert!(list(whole()).next().await.is_some(), "its turn is free");
    }
}
