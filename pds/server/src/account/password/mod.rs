//! Passwords: argon2id, with a limit of memory, on threads of low priority. Hashes that came from elsewhere are verified too.

mod hash;
mod legacy;
mod memory;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use argon2::{Block, password_hash};
use pds_store::background;
use tokio::time::sleep;
use zeroize::Zeroizing;

use self::memory::Memory;
use crate::rate_limit::{Turn, Turns};

/// The longest password that is hashed; longer ones are refused before.
pub const MAX_CHARS: usize = 256;
/// The longest password that is compared.
pub const MAX_OLD_CHARS: usize = 512;

/// Hashes that may wait, per core. A good login never waits for longer than one hash of each address that waits takes, and its rest.
const WAITING: usize = 16;
/// The longest time for which a turn rests after a wrong password.
const LONGEST_REST: Duration = Duration::from_millis(100);

/// Why there is no hash; never a wrong password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many wait already.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// Hashing failed.
    #[error("hash a password")]
    Failed(#[source] password_hash::Error),
}

/// Hashes and verifies passwords, as many at once as the memory bound allows.
#[derive(Clone)]
pub struct Passwords {
    /// Of those that run or wait, by address.
    turns: Turns,
    memory: Memory,
    /// Verified against when there is no account, so that the answer takes as long.
    decoy: Arc<str>,
}

impl Default for Passwords {
    fn default() -> Self {
        // One core is left to requests: a hash that has begun cannot be paused, and a request beside one on each core waits for milliseconds.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let turns = Turns::new(cores.saturating_sub(1).max(1), cores * WAITING);
        Self { turns, memory: Memory::default(), decoy: hash::decoy().into() }
    }
}

impl Passwords {
    /// A new hash in PHC format, for a client at `address`.
    pub async fn hash(&self, password: &str, address: &str) -> Result<String, Error> {
        let password = Zeroizing::new(password.to_owned());
        Ok(self.run(address, move |memory| hash::hash(&password, memory)).await?.value)
    }

    /// Does `password` belong to `stored`? Without a stored hash the work is done all the same and the answer is no.
    ///
    /// After a wrong password the turn rests for twice the time of the hash, so that guesses leave the cores to requests for two thirds of the time. The
    /// answer does not wait for it.
    pub async fn verify(&self, stored: Option<&str>, password: &str, address: &str) -> Result<bool, Error> {
        let (known, stored) = (stored.is_some(), stored.unwrap_or(&self.decoy).to_owned());
        let password = Zeroizing::new(password.to_owned());
        let verify = move |memory: &mut Vec<Block>| match legacy::is_legacy(&stored) {
            true => legacy::verify(&stored, &password),
            false => hash::verify(&stored, &password, memory),
        };
        let done = self.run(address, verify).await?;
        let matches = known && done.value;
        if !matches {
            done.rest();
        }
        Ok(matches)
    }

    /// Number of hashes that may begin now. A turn that rests is not free.
    #[must_use]
    pub fn free(&self) -> usize {
        self.turns.free()
    }

    /// Whether a stored hash is not as [`Passwords::hash`] makes them, and is to be replaced when the password is seen.
    pub fn is_outdated(stored: &str) -> bool {
        !hash::is_current(stored)
    }

    /// The reference implementation's hash of an app password. Its salt follows from the DID, so that it can be searched for.
    pub async fn hash_of_reference(&self, password: &str, salt: &str, address: &str) -> Result<Vec<u8>, Error> {
        let (password, salt) = (Zeroizing::new(password.to_owned()), salt.to_owned());
        Ok(self.run(address, move |_| legacy::scrypt(&password, &salt).map(Vec::from)).await?.value)
    }

    async fn run<T: Send + 'static>(
        &self,
        address: &str,
        work: impl Fn(&mut Vec<Block>) -> Result<T, password_hash::Error> + Send + Sync + 'static,
    ) -> Result<Done<T>, Error> {
        let turn = self.turns.next(address).await.ok_or(Error::Busy)?;
        let memory = self.memory.clone();
        // The turn goes with the work: a caller that gives up does not free memory that is still in use. Of two threads with the same work, the first
        // that ends has the turn, so that memory for twice as many hashes as turns may be in use.
        let (turn, work) = (Arc::new(Mutex::new(Some(turn))), Arc::new(work));
        let held = move || {
            let began = Instant::now();
            let mut buffer = memory.take();
            let done = work(&mut buffer);
            memory.give_back(buffer);
            let turn = turn.lock().unwrap_or_else(PoisonError::into_inner).take();
            done.map(|value| Done { value, took: began.elapsed(), turn })
        };
        let done = background::run_soon(held).await;
        tokio::spawn(self.memory.clone().free_when_unused());
        done.map_err(Error::Failed)
    }
}

/// A hash that is done. The turn is given back when this is dropped.
#[derive(Debug)]
struct Done<T> {
    value: T,
    took: Duration,
    turn: Option<Turn>,
}

impl<T> Done<T> {
    /// Keeps the turn for another while.
    fn rest(self) {
        let (turn, rest) = (self.turn, (2 * self.took).min(LONGEST_REST));
        tokio::spawn(async move {
            sleep(rest).await;
            drop(turn);
        });
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passwords")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_of_a_known_account_passes() {
        let passwords = Passwords::default();
        let stored = passwords.hash("correct", "").await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(passwords.verify(Some(&stored), "correct", "").await.unwrap());
        assert!(!passwords.verify(Some(&stored), "wrong", "").await.unwrap());
        assert!(!passwords.verify(None, "decoy", "").await.unwrap());
    }

    /// F18
    #[tokio::test]
    async fn only_so_many_wait_and_another_address_does_not_wait_for_all_of_one() {
        let passwords = Passwords { turns: Turns::new(1, 3), ..Passwords::default() };
        let turn = passwords.turns.next("x").await.unwrap();
        let mut waiting: Vec<_> = ["a", "a", "a"].map(|address| Box::pin(passwords.hash("p", address))).into();
        for hash in &mut waiting {
            assert!(futures::poll!(hash).is_pending());
        }
        assert!(matches!(passwords.hash("p", "a").await, Err(Error::Busy)), "all places are taken by itself");
        let mut other = Box::pin(passwords.hash("p", "b"));
        assert!(futures::poll!(&mut other).is_pending());
        assert!(matches!(waiting.pop().unwrap().await, Err(Error::Busy)), "it lost its place to another address");
        drop(turn);
        drop(waiting);
        other.await.unwrap();
    }

    #[tokio::test]
    async fn a_turn_rests_after_a_wrong_password_alone() {
        let passwords = Passwords { turns: Turns::new(1, 3), ..Passwords::default() };
        let stored = passwords.hash("correct", "").await.unwrap();
        assert!(passwords.verify(Some(&stored), "correct", "").await.unwrap());
        assert_eq!(passwords.free(), 1);
        assert!(!passwords.verify(Some(&stored), "wrong", "").await.unwrap());
        assert_eq!(passwords.free(), 0);
        assert!(passwords.verify(Some(&stored), "correct", "").await.unwrap(), "it comes after the rest");
    }

    #[tokio::test]
    async fn a_caller_that_gives_up_does_not_free_its_place() {
        let passwords = Passwords { turns: Turns::new(1, 3), ..Passwords::default() };
        let (begun, seen) = std::sync::mpsc::channel();
        let (finish, wait) = std::sync::mpsc::channel::<()>();
        let wait = Mutex::new(wait);
        let worker = passwords.clone();
        let caller = tokio::spawn(async move {
            let work = move |_: &mut Vec<Block>| Ok((begun.send(()).unwrap(), wait.lock().unwrap().recv().unwrap()));
            worker.run("", work).await
        });
        tokio::task::spawn_blocking(move || seen.recv().unwrap()).await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        assert_eq!(passwords.free(), 0);
        finish.send(()).unwrap();
        drop(passwords.turns.next("").await.unwrap());
    }
}
