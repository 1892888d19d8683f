//! Passwords: argon2id under a memory bound, on threads that give way to those of requests.

use std::{fmt, sync::Arc};

use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version, password_hash::phc::PasswordHash};
use pds_store::background;
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::rate_limit::Shares;

/// Memory of one hash in KiB, passes, lanes. Source: OWASP password storage, argon2id.
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);
/// The longest password that is hashed; longer ones are refused before.
pub const MAX_CHARS: usize = 256;
/// The longest password that is compared.
pub const MAX_OLD_CHARS: usize = 512;

/// Hashes that may wait, per core, and how many of them for one address. A good login never waits for longer than these take.
const WAITING: usize = 16;
const WAITING_FOR_ONE: usize = 4;

/// Why there is no hash; never a wrong password.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many wait already.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// Hashing failed.
    #[error("password hashing: {0}")]
    Failed(String),
}

/// Hashes and verifies passwords, as many at once as the memory bound allows.
#[derive(Clone)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    /// Places of those that run or wait, by address.
    places: Shares,
    /// Verified against when there is no account, so that the answer takes as long.
    decoy: Arc<str>,
}

impl Default for Passwords {
    fn default() -> Self {
        // More at once would not be faster, only take more memory.
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let places = Shares::new(cores * (WAITING + 1), cores * (WAITING_FOR_ONE + 1));
        Self { permits: Arc::new(Semaphore::new(cores)), places, decoy: decoy().into() }
    }
}

impl Passwords {
    /// A new hash in PHC format, for a client at `address`.
    pub async fn hash(&self, password: &str, address: &str) -> Result<String, Error> {
        let password = Zeroizing::new(password.to_owned());
        self.run(address, move || hash(&password)).await?
    }

    /// Does `password` belong to `stored`? Without a stored hash the work is done all the same and the answer is no.
    pub async fn verify(&self, stored: Option<&str>, password: &str, address: &str) -> Result<bool, Error> {
        let (known, stored) = (stored.is_some(), stored.unwrap_or(&self.decoy).to_owned());
        let password = Zeroizing::new(password.to_owned());
        let matches = self
            .run(address, move || {
                let parsed = PasswordHash::new(&stored).map_err(|error| Error::Failed(error.to_string()))?;
                Ok::<_, Error>(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
            })
            .await??;
        Ok(known && matches)
    }

    async fn run<T: Send + 'static>(
        &self,
        address: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let place = self.places.take(address).ok_or(Error::Busy)?;
        let permit = self.permits.clone().acquire_owned().await.map_err(|error| Error::Failed(error.to_string()))?;
        // The permit goes with the work: a caller that gives up does not free memory that is still in use.
        let held = move || {
            let _held = (permit, place);
            work()
        };
        Ok(background::run(held).await)
    }
}

fn hash(password: &str) -> Result<String, Error> {
    let (memory, passes, lanes) = COST;
    let failed = |error: String| Error::Failed(error);
    let params = Params::new(memory, passes, lanes, None).map_err(|error| failed(error.to_string()))?;
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password(password.as_bytes()).map(|hash| hash.to_string()).map_err(|error| failed(error.to_string()))
}

/// A hash of nothing in particular, which costs what a real one does. To compute one at the start would leave its memory behind.
fn decoy() -> String {
    let (memory, passes, lanes) = COST;
    let (salt, hash) = ("A".repeat(22), "A".repeat(43));
    format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${hash}")
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
        let decoy = decoy();
        let compared = Argon2::default().verify_password(b"decoy", &PasswordHash::new(&decoy).unwrap());
        assert_eq!(compared, Err(argon2::password_hash::Error::PasswordInvalid), "the work is done");
    }

    /// F18
    #[tokio::test]
    async fn only_so_many_wait_and_one_address_has_its_share() {
        let passwords =
            Passwords { permits: Arc::new(Semaphore::new(0)), places: Shares::new(3, 2), ..Passwords::default() };
        let mut waiting: Vec<_> = ["a", "a", "b"].map(|address| Box::pin(passwords.hash("p", address))).into();
        for hash in &mut waiting[..2] {
            assert!(futures::poll!(hash).is_pending());
        }
        assert!(matches!(passwords.hash("p", "a").await, Err(Error::Busy)), "its share is taken");
        assert!(futures::poll!(&mut waiting[2]).is_pending());
        assert!(matches!(passwords.hash("p", "c").await, Err(Error::Busy)));
        drop(waiting);
        passwords.permits.add_permits(1);
        passwords.hash("p", "a").await.unwrap();
    }

    #[tokio::test]
    async fn a_caller_that_gives_up_does_not_free_its_place() {
        let passwords = Passwords { permits: Arc::new(Semaphore::new(1)), ..Passwords::default() };
        let (begun, seen) = std::sync::mpsc::channel();
        let (finish, wait) = std::sync::mpsc::channel::<()>();
        let worker = passwords.clone();
        let caller = tokio::spawn(async move {
            let work = move || (begun.send(()).unwrap(), wait.recv().unwrap());
            worker.run("", work).await
        });
        tokio::task::spawn_blocking(move || seen.recv().unwrap()).await.unwrap();
        caller.abort();
        assert!(caller.await.unwrap_err().is_cancelled());
        assert_eq!(passwords.permits.available_permits(), 0);
        finish.send(()).unwrap();
        let _free = passwords.permits.acquire().await.unwrap();
    }
}
