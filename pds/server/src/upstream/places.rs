//! Places for calls under way: so many in total, per account and per service.

use super::{Error, Kind, Service};
use crate::rate_limit::{Budget, Client, Part, Share, Shares};

use std::time::Duration;

/// Calls of one account at the same time.
const OF_ACCOUNT: usize = 32;
/// A call whose client has taken nothing for so long may be given up for others.
const SLOW_READER: Duration = Duration::from_secs(10);

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    all: Budget,
    accounts: Shares,
    configured: Shares,
    named: Shares,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    part: Part,
    _shares: [Share; 2],
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        Self {
            all: Budget::of_moving(most, SLOW_READER),
            accounts: Shares::new(most, OF_ACCOUNT),
            // A configured service that does not respond leaves a quarter for the others.
            configured: Shares::new(most, (most / 4 * 3).max(1)),
            named: Shares::new((most / 4).max(1), (most / 16).max(4)),
        }
    }

    /// A place for a call of `caller` to `service`, whose answer `client` waits for.
    pub(super) fn take(&self, caller: &str, service: &Service, client: &Client) -> Result<Place, Error> {
        let account = self.accounts.take(caller).ok_or(match self.accounts.is_full() {
            true => Error::Busy,
            false => Error::AccountBusy,
        })?;
        let shares = if service.kind == Kind::Named { &self.named } else { &self.configured };
        let upstream = shares.take(&service.key()).ok_or(Error::Busy)?;
        let part = self.all.take(client, 1).ok_or(Error::Busy)?;
        Ok(Place { part, _shares: [account, upstream] })
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.all.used()
    }
}

impl Place {
    /// Records that the client made progress. `false` if the place was given up for others.
    pub(super) fn moved(&self) -> bool {
        self.part.moved()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn service(host: &str, kind: Kind) -> Service {
        Service::new(&format!("https://{host}").parse().unwrap(), kind).unwrap()
    }

    fn client(subject: &str) -> Client {
        Client { subject: subject.into(), connection: None }
    }

    #[test]
    fn no_account_and_no_service_takes_what_others_need() {
        let places = Places::new(64);
        let (slow, other) = (service("slow.test", Kind::AppView), service("other.test", Kind::Moderation));
        let own: Vec<_> = (0..32).map(|_| places.take("alice", &other, &client("a")).unwrap()).collect();
        assert!(matches!(places.take("alice", &other, &client("a")), Err(Error::AccountBusy)));
        assert!(places.take("bob", &other, &client("b")).is_ok());
        drop(own);
        let calls = |service: &Service, most: usize| -> Vec<_> {
            (0..most).map_while(|n| places.take(&n.to_string(), service, &client(&n.to_string())).ok()).collect()
        };
        let waiting = calls(&slow, 64);
        assert_eq!(waiting.len(), 48);
        let named: Vec<_> = (0..8).map(|n| calls(&service(&format!("{n}.test"), Kind::Named), 64)).collect();
        assert_eq!(named[0].len(), 4);
        assert_eq!(named.iter().map(Vec::len).sum::<usize>(), 16);
        assert_eq!(places.taken(), 64);
    }
}
