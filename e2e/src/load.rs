//! Accounts that write continuously while a test kills parts of the instance, and the list of acknowledged writes.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use tokio::task::JoinHandle;

use crate::{
    Instance,
    client::{Account, Acknowledged},
    wait,
};

/// Writers in the background. [`Load::stop`] stops them and returns their acknowledged writes.
pub struct Load {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Mutex<Vec<Acknowledged>>>,
    refused: Arc<AtomicU64>,
    writers: Vec<JoinHandle<()>>,
}

/// The answers that the writers got.
pub struct Outcome {
    pub acknowledged: Vec<Acknowledged>,
    /// Number of requests that failed. Their writes may exist or not.
    pub refused: u64,
}

/// Number of accounts that write.
const WRITERS: usize = 4;
/// Number of acknowledged writes after which a test continues.
const UNDER_WAY: usize = 50;

impl Load {
    /// Creates accounts on `instance`, starts a writer for each, and waits for the first acknowledged writes.
    pub async fn on(instance: &Instance) -> Result<Self> {
        let (pds, password) = (instance.pds().await?, instance.admin_password().await?);
        let mut accounts = Vec::with_capacity(WRITERS);
        for n in 0..WRITERS {
            accounts.push(pds.sign_up(&format!("writer{n}x"), &password).await?);
        }
        let load = Self::start(&accounts);
        load.progress(UNDER_WAY).await?;
        Ok(load)
    }

    /// Starts one writer per account. A writer sends the next post when the last one is answered.
    fn start(accounts: &[Account]) -> Self {
        let (stop, acknowledged, refused) =
            (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<_>>>::default(), Arc::<AtomicU64>::default());
        let writers = accounts
            .iter()
            .cloned()
            .map(|account| {
                let (stop, acknowledged, refused) = (stop.clone(), acknowledged.clone(), refused.clone());
                tokio::spawn(async move {
                    let mut n = 0;
                    while !stop.load(Ordering::Relaxed) {
                        n += 1;
                        match account.post(&format!("post {n}")).await {
                            Ok(write) => acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push(write),
                            Err(_) => {
                                refused.fetch_add(1, Ordering::Relaxed);
                                tokio::time::sleep(Duration::from_millis(20)).await;
                            }
                        }
                    }
                })
            })
            .collect();
        Self { stop, acknowledged, refused, writers }
    }

    fn count(&self) -> usize {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// Waits until `more` further writes have been acknowledged.
    pub async fn progress(&self, more: usize) -> Result<()> {
        let goal = self.count() + more;
        wait::until(&format!("{more} more acknowledged writes"), wait::LONG, async || {
            if self.count() >= goal { Ok(()) } else { wait::not_yet(format!("{} of {goal}", self.count())) }
        })
        .await
    }

    pub async fn stop(self) -> Result<Outcome> {
        self.stop.store(true, Ordering::Relaxed);
        for writer in self.writers {
            writer.await.context("a writer panicked")?;
        }
        let acknowledged = std::mem::take(&mut *self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner));
        Ok(Outcome { acknowledged, refused: self.refused.load(Ordering::Relaxed) })
    }
}
