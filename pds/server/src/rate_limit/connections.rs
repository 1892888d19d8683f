//! The open connections: their number, their addresses, and which of them is closed when there are too many.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use pds_config::Cidr;
use tokio_util::sync::CancellationToken;

use super::subject;

/// A connection that was idle for less may be between two requests.
const BRIEF: Duration = Duration::from_secs(1);
/// A connection on which no request has made progress for so long may be closed although it has open requests: HTTP/2 keeps requests open
/// whose answers nobody reads.
const STUCK: Duration = Duration::from_secs(60);

/// All connections of one port. Cheap to clone.
#[derive(Clone)]
pub struct Connections(Arc<Shared>);

struct Shared {
    max: usize,
    /// Maximum number from one address, unless it is a proxy's.
    of_one: usize,
    proxies: Vec<Cidr>,
    began: Instant,
    open: Mutex<Open>,
}

#[derive(Default)]
struct Open {
    next: u64,
    all: HashMap<u64, Arc<State>>,
    by_subject: HashMap<String, usize>,
}

struct State {
    /// The address of its client as limits count it; empty for a proxy.
    subject: String,
    /// Number of requests whose answers are not complete.
    busy: AtomicUsize,
    /// When a request last made progress, in milliseconds since the port was opened; before the first one, when the connection came. A head of
    /// which some bytes arrive is no progress: it may never end.
    got_on_ms: AtomicU64,
    /// Number of sockets, which may be silent for long.
    sockets: AtomicUsize,
    closed: CancellationToken,
}

/// A place among the connections, which is free again when this is dropped.
pub struct Place {
    id: u64,
    state: Arc<State>,
    home: Connections,
}

/// A connection, for the requests that come over it.
#[derive(Clone)]
pub struct Connection(Arc<State>, Instant);

/// While this exists, the connection counts as having an open request.
pub struct Busy(Connection);

/// While this exists, the connection counts as a socket.
pub struct Socket(Arc<State>);

impl Connections {
    /// At most `max` connections, and a quarter of them from one address unless it is a proxy's.
    pub fn new(max: usize, proxies: Vec<Cidr>) -> Self {
        let of_one = (max / 4).max(8).min(max);
        Self(Arc::new(Shared { max, of_one, proxies, began: Instant::now(), open: Mutex::default() }))
    }

    /// A place for a connection from `peer`. If none is free, the address with most connections loses the one that has been idle for longest, or
    /// else whoever has such a one; of an address that has its share it is one of its own. If all have open requests, the address with most
    /// connections loses the one on which nothing got on for longest, so that a newcomer gets in however many connections others have. `None` if no
    /// address has more than this one would have.
    pub fn admit(&self, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        let is_proxy = self.0.proxies.iter().any(|network| network.contains(peer));
        let subject = if is_proxy { String::new() } else { subject(peer) };
        let mut open = self.open();
        let own = open.by_subject.get(&subject).copied().unwrap_or(0);
        let is_greedy = !is_proxy && own >= self.0.of_one;
        if is_greedy || open.all.len() >= self.0.max {
            let id = self.victim(&open, Some(&*subject).filter(|_| is_greedy), own)?;
            open.remove(id)?.closed.cancel();
        }
        let (busy, sockets, closed) = (AtomicUsize::default(), AtomicUsize::default(), CancellationToken::new());
        let got_on_ms = AtomicU64::new(self.now_ms());
        let state = State { subject: subject.clone(), busy, got_on_ms, sockets, closed };
        let state = Arc::new(state);
        let id = open.next;
        open.next += 1;
        open.all.insert(id, state.clone());
        *open.by_subject.entry(subject).or_default() += 1;
        drop(open);
        Some(Place { id, state, home: self.clone() })
    }

    /// Number of open connections.
    pub fn count(&self) -> usize {
        self.open().all.len()
    }

    /// The connection that gives way, of one address or of all, to a newcomer that has `own` connections.
    fn victim(&self, open: &Open, of: Option<&str>, own: usize) -> Option<u64> {
        let idle = |of| open.oldest(of, State::idle_since, self.before(BRIEF));
        let stuck = || open.oldest(of, State::stuck_since, self.before(STUCK));
        let largest = if of.is_none() { open.largest(own) } else { None };
        let of_largest = || open.oldest(Some(largest?), |state| Some(state.got_on()), u64::MAX);
        largest.and_then(|largest| idle(Some(largest))).or_else(|| idle(of)).or_else(stuck).or_else(of_largest)
    }

    fn before(&self, time: Duration) -> u64 {
        self.now_ms().saturating_sub(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn idle_since(&self) -> Option<u64> {
        let is_idle = self.busy.load(Ordering::Relaxed) == 0 && self.sockets.load(Ordering::Relaxed) == 0;
        is_idle.then(|| self.got_on())
    }

    fn stuck_since(&self) -> Option<u64> {
        let is_socket = self.sockets.load(Ordering::Relaxed) > 0;
        (!is_socket).then(|| self.got_on())
    }

    fn got_on(&self) -> u64 {
        self.got_on_ms.load(Ordering::Relaxed)
    }
}

impl Open {
    /// The address with most connections, if it has more than a newcomer with `own` would have. Proxies carry many clients.
    fn largest(&self, own: usize) -> Option<&str> {
        let addresses = self.by_subject.iter().filter(|(subject, _)| !subject.is_empty());
        let (largest, _) = addresses.max_by_key(|(_, count)| **count).filter(|(_, count)| **count > own + 1)?;
        Some(largest)
    }

    /// The connection, of one address or of all, that has been in a state for longest, and at least since then.
    fn oldest(&self, of: Option<&str>, at: fn(&State) -> Option<u64>, since: u64) -> Option<u64> {
        let own = self.all.iter().filter(|(_, state)| of.is_none_or(|subject| subject == state.subject));
        let times = own.filter_map(|(id, state)| Some((*id, at(state)?))).filter(|(_, at)| *at <= since);
        times.min_by_key(|(_, at)| *at).map(|(id, _)| id)
    }

    fn remove(&mut self, id: u64) -> Option<Arc<State>> {
        let state = self.all.remove(&id)?;
        if let Some(count) = self.by_subject.get_mut(&state.subject) {
            *count -= 1;
            if *count == 0 {
                self.by_subject.remove(&state.subject);
            }
        }
        Some(state)
    }
}

impl Place {
    /// Cancelled when the connection has to make room for another.
    pub fn closed(&self) -> CancellationToken {
        self.state.closed.clone()
    }

    /// For the requests that come over it.
    pub fn connection(&self) -> Connection {
        Connection(self.state.clone(), self.home.0.began)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.home.open().remove(self.id);
    }
}

impl Connection {
    /// Marks the connection as having an open request.
    pub fn busy(&self) -> Busy {
        self.0.busy.fetch_add(1, Ordering::Relaxed);
        self.got_on();
        Busy(self.clone())
    }

    /// Marks the connection as a socket.
    pub fn socket(&self) -> Socket {
        self.0.sockets.fetch_add(1, Ordering::Relaxed);
        Socket(self.0.clone())
    }

    /// Records that a request made progress: a part of it arrived, or a part of its answer was taken.
    pub fn got_on(&self) {
        let now = u64::try_from(self.1.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.got_on_ms.store(now, Ordering::Relaxed);
    }
}

impl Connection {
    /// Closes the connection, whatever it does.
    pub fn close(&self) {
        self.0.closed.cancel();
    }
}

impl Busy {
    /// As [`Connection::got_on`].
    pub fn got_on(&self) {
        self.0.got_on();
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // It is idle from now on, however long the request took.
        self.0.got_on();
        self.0.0.busy.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        self.0.sockets.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connections({} of {})", self.count(), self.0.max)
    }
}

macro_rules! opaque {
    ($($name:ident)*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        }
    )*};
}
opaque!(Place Connection Busy Socket);

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u8) -> IpAddr {
        IpAddr::from([198, 51, 100, n])
    }

    fn age(place: &Place) {
        place.state.got_on_ms.store(0, Ordering::Relaxed);
    }

    fn later(connections: Connections) -> Connections {
        let mut shared = Arc::into_inner(connections.0).unwrap();
        shared.began = shared.began.checked_sub(Duration::from_secs(60)).unwrap();
        Connections(Arc::new(shared))
    }

    #[test]
    fn the_connection_that_is_idle_for_longest_makes_room_and_one_at_work_does_not() {
        let connections = later(Connections::new(2, Vec::new()));
        let (first, second) = (connections.admit(peer(1)).unwrap(), connections.admit(peer(2)).unwrap());
        assert!(connections.admit(peer(3)).is_none(), "both have just come");
        age(&first);
        age(&second);
        let busy = first.connection().busy();
        let _third = connections.admit(peer(3)).unwrap();
        assert!(second.closed().is_cancelled() && !first.closed().is_cancelled());
        drop(second);
        assert_eq!(connections.count(), 2);
        assert!(connections.admit(peer(4)).is_none());
        drop(busy);
        age(&first);
        assert!(connections.admit(peer(4)).is_some() && first.closed().is_cancelled());
    }

    #[test]
    fn whoever_has_most_connections_loses_an_idle_one_before_those_who_pause() {
        let connections = later(Connections::new(5, Vec::new()));
        let polite = connections.admit(peer(1)).unwrap();
        age(&polite);
        let many: Vec<_> = (0..4).map(|_| connections.admit(peer(2)).unwrap()).collect();
        many[3].state.got_on_ms.store(1, Ordering::Relaxed);
        let _other = connections.admit(peer(3)).unwrap();
        assert!(many[3].closed().is_cancelled() && !polite.closed().is_cancelled());
        // Of those who have as few as a newcomer, whoever is idle for longest gives way.
        drop(many);
        let _others: Vec<_> = (4..7).map(|n| connections.admit(peer(n)).unwrap()).collect();
        assert_eq!(connections.count(), 5);
        connections.admit(peer(8)).unwrap();
        assert!(polite.closed().is_cancelled());
    }

    #[test]
    fn one_on_which_nothing_gets_on_gives_way_unless_it_is_a_socket() {
        let connections = later(Connections::new(2, Vec::new()));
        let (first, second) = (connections.admit(peer(1)).unwrap(), connections.admit(peer(2)).unwrap());
        let (_busy, _also, _socket) =
            (first.connection().busy(), second.connection().busy(), second.connection().socket());
        assert!(connections.admit(peer(3)).is_none());
        for place in [&first, &second] {
            place.state.got_on_ms.store(0, Ordering::Relaxed);
        }
        assert!(connections.admit(peer(3)).is_some());
        assert!(first.closed().is_cancelled() && !second.closed().is_cancelled());
    }

    #[test]
    fn a_newcomer_gets_in_however_busy_the_connections_of_others_are() {
        let connections = later(Connections::new(4, vec!["10.0.0.0/8".parse().unwrap()]));
        let proxy = connections.admit("10.0.0.1".parse().unwrap()).unwrap();
        let greedy: Vec<_> = (0..3).map(|_| connections.admit(peer(1)).unwrap()).collect();
        let _busy: Vec<_> = greedy.iter().chain([&proxy]).map(|place| place.connection().busy()).collect();
        greedy[1].state.got_on_ms.store(0, Ordering::Relaxed);
        let _socket = greedy[1].connection().socket();
        let newcomer = connections.admit(peer(2)).unwrap();
        let closed: Vec<_> = greedy.iter().map(|place| place.closed().is_cancelled()).collect();
        assert_eq!(closed, [false, true, false]);
        let _busy = newcomer.connection().busy();
        assert!(connections.admit(peer(1)).is_none() && !proxy.closed().is_cancelled());
    }

    #[test]
    fn one_address_gets_its_share_and_a_proxy_more() {
        let connections = later(Connections::new(40, vec!["10.0.0.0/8".parse().unwrap()]));
        let own: Vec<_> = (0..10).map(|_| connections.admit(peer(1)).unwrap()).collect();
        assert!(connections.admit(peer(1)).is_none());
        let others: Vec<_> = (0..30).map(|_| connections.admit("10.0.0.1".parse().unwrap()).unwrap()).collect();
        assert_eq!(own.len() + others.len(), connections.count());
        drop(own);
        assert!(connections.admit(peer(1)).is_some());
    }
}
