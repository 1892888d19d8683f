//! How lists are read: a few at a time, and each object by object where the API server can do that.
//!
//! Whoever writes objects decides how large they are, and a page of a list is in memory twice while it is parsed. So pages are small, and small
//! pages make the list of many small objects slow: a page takes some 25 ms, however few objects it has. An API server with the feature `WatchList`
//! sends the objects of a list one after the other, as the first events of a watch.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{Stream, StreamExt, TryStreamExt, stream};
use kube::api::{Api, WatchEvent, WatchParams};
use kube::runtime::watcher::{self, Event};
use serde::de::DeserializeOwned;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Watches that list at once.
const AT_ONCE: usize = 2;

/// Objects per page where lists come in pages: objects have up to 9 MB of JSON, also where only metadata is asked for.
const PAGE: u32 = 2;

/// How long the API server may take to begin a watch.
const ANSWER: Duration = Duration::from_secs(10);

/// The lists of all watches of a process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Lists {
    turns: Arc<Semaphore>,
    one_by_one: bool,
}

/// Whether the API server sends the objects of a list one after the other. Asks for the objects of one kind, of which there should be few.
pub async fn can_stream<K: Clone + Debug + DeserializeOwned>(api: &Api<K>) -> bool {
    let parameters = WatchParams { send_initial_events: true, timeout: Some(1), ..WatchParams::default() };
    let first = async {
        let mut events = api.watch(&parameters, "0").await?.boxed();
        events.try_next().await
    };
    let first: Result<kube::Result<Option<_>>, _> = tokio::time::timeout(ANSWER, first).await;
    matches!(first, Ok(Ok(Some(event))) if !matches!(event, WatchEvent::Error(_)))
}

struct Listing<K> {
    events: BoxStream<'static, watcher::Result<Event<K>>>,
    turns: Arc<Semaphore>,
    lists: bool,
    turn: Option<OwnedSemaphorePermit>,
}

impl Lists {
    /// With `one_by_one`, objects are sent one after the other: see [`can_stream`].
    #[must_use]
    pub fn new(one_by_one: bool) -> Self {
        Self { turns: Arc::new(Semaphore::new(AT_ONCE)), one_by_one }
    }

    /// How a watch lists.
    #[must_use]
    pub fn config(&self, config: watcher::Config) -> watcher::Config {
        if self.one_by_one { config.streaming_lists() } else { config.page_size(PAGE) }
    }

    /// The same events, each list in its turn. To be put below the backoff of the watch: one that has failed holds no turn while it waits.
    pub fn limit<K: Send + 'static>(
        &self,
        events: impl Stream<Item = watcher::Result<Event<K>>> + Send + 'static,
    ) -> BoxStream<'static, watcher::Result<Event<K>>> {
        let begin = Listing { events: events.boxed(), turns: self.turns.clone(), lists: true, turn: None };
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
            self.turn = self.turns.clone().acquire_owned().await.ok();
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
        let turns = Lists::new(false);
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
