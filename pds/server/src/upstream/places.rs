//! Places for calls under way: so many in total, per account and per service.

use super::{Error, Kind, Service};
use crate::rate_limit::{Budget, Client, Part, Share, Shares};

use std::time::Duration;

/// Calls of one account at the same time.
const OF_ACCOUNT: usize = 32;
/// Calls of one account at the same time to services that it names: a quarter of all such calls, but not less than this.
const NAMED_OF_ACCOUNT: usize = 2;
/// A call whose client has taken nothing for so long may be given up for others.
const SLOW_READER: Duration = Duration::from_secs(10);

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    all: Budget,
    accounts: Shares,
    configured: Shares,
    named: Shares,
    named_accounts: Shares,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    part: Part,
    _shares: [Option<Share>; 3],
}

impl Places {
    pub(super) fn new(most: usize) -> Self {
        let named = (most / 4).max(1);
        Self {
            all: Budget::of_moving(most, SLOW_READER),
            accounts: Shares::new(most, OF_ACCOUNT),
            // A configured service that does not respond leaves a quarter for the others.
            configured: Shares::new(most, (most / 4 * 3).max(1)),
            named: Shares::new(named, (most / 16).max(4)),
            named_accounts: Shares::new(named, (named / 4).max(NAMED_OF_ACCOUNT)),
        }
    }

    /// A place for a call of `caller` to `service`, whose answer `client` waits for.
    pub(super) fn take(&self, caller: &str, service: &Service, client: &Client) -> Result<Place, Error> {
        let account = of_account(&self.accounts, caller)?;
        let (services, named) = match service.kind {
            Kind::Named => (&self.named, Some(of_account(&self.named_accounts, caller)?)),
            _ => (&self.configured, None),
        };
        let upstream = services.take(&service.key()).ok_or(Error::Busy)?;
        let part = self.all.take(client, 1).ok_or(Error::Busy)?;
        Ok(Place { part, _shares: [Some(account), Some(upstream), named] })
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.all.used()
    }
}

fn of_account(shares: &Shares, caller: &str) -> Result<Share, Error> {
    shares.take(caller).ok_or(match shares.is_full() {
        true => Error::Busy,
        false => Error::AccountBusy,
    })
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

    #[test]
    fn an_account_has_a_quarter_of_the_places_for_services_that_accounts_name() {
        let places = Places::new(128);
        let services: Vec<_> = (0..8).map(|n| service(&format!("{n}.test"), Kind::Named)).collect();
        let calls = |caller: &'static str| -> Vec<_> {
            let calls = services.iter().flat_map(|service| [service; 4]);
            calls.map(|service| places.take(caller, service, &client(caller))).collect()
        };
        let own = calls("alice");
        assert_eq!(own.iter().filter(|call| call.is_ok()).count(), 8);
        assert!(matches!(own[8], Err(Error::AccountBusy)));
        assert_eq!(calls("bob").iter().filter(|call| call.is_ok()).count(), 8);
        assert!(places.take("alice", &service("a.test", Kind::AppView), &client("alice")).is_ok());
    }
}
