//! Accounts: signing up, passwords, who an account is right now.
//!
//! Nothing is remembered of an account. Another replica may have taken it down, renamed it or logged a session out a moment ago, and every
//! request that begins after that must see it (ADR 18).

pub mod create;
pub mod password;

use std::{fmt, sync::Arc};

use pds_store::{
    Db, Error, Result,
    account::{self, Account, Current, Question, Status},
};
use pds_syntax::{AtIdentifier, Did};
use tokio::sync::{Semaphore, mpsc, oneshot};

use crate::app::App;

/// Questions in one statement.
const BATCH: usize = 128;
/// Questions that may wait; who comes with another waits for room.
const WAITING: usize = 1_024;
/// Statements under way. While they are, further questions gather.
const AT_ONCE: usize = 2;

type Answer = Result<Option<Current>, Arc<Error>>;
type Asked = (Question, oneshot::Sender<Answer>);

/// Where accounts are asked for. Cheap to clone.
#[derive(Clone)]
pub struct Desk(mpsc::Sender<Asked>);

impl Desk {
    /// Starts the task that asks; it ends with the last clone.
    pub fn start(db: Db) -> Self {
        let (questions, receiver) = mpsc::channel(WAITING);
        tokio::spawn(run(db, receiver));
        Self(questions)
    }

    /// The account of a DID as it is after this call, and whether its session `session` was logged out. Reservations are no accounts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn ask(&self, did: Did, session: Option<String>) -> Result<Option<Current>> {
        let (sender, answer) = oneshot::channel();
        let stopped = || Error::Stopped;
        self.0.send((Question { did, session }, sender)).await.map_err(|_| stopped())?;
        let found = answer.await.map_err(|_| stopped())?.map_err(Error::Shared)?;
        Ok(found.filter(|found| found.account.status() != Status::Creating))
    }
}

async fn run(db: Db, mut receiver: mpsc::Receiver<Asked>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        // The turn first: what comes while there is none goes along.
        let Ok(turn) = turns.clone().acquire_owned().await else { return };
        let mut asked = Vec::new();
        if receiver.recv_many(&mut asked, BATCH).await == 0 {
            return;
        }
        let db = db.clone();
        tokio::spawn(async move {
            let _turn = turn;
            let (questions, answers): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
            // Who asked may have gone.
            match account::current(&db, questions).await {
                Ok(found) => answers.into_iter().zip(found).for_each(|(answer, found)| drop(answer.send(Ok(found)))),
                Err(error) => {
                    let error = Arc::new(error);
                    answers.into_iter().for_each(|answer| drop(answer.send(Err(error.clone()))));
                }
            }
        });
    }
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desk({} waiting)", WAITING - self.0.capacity())
    }
}

/// The account of a DID as it is now. Reservations are no accounts.
pub async fn by_did(app: &App, did: &Did) -> Result<Option<Arc<Account>>> {
    let found = app.accounts.ask(did.clone(), None).await?;
    Ok(found.map(|found| Arc::new(found.account)))
}

/// The account that an identifier names on this host, whatever its state.
pub async fn find(app: &App, identifier: &AtIdentifier) -> Result<Option<Arc<Account>>> {
    match identifier {
        AtIdentifier::Did(did) => by_did(app, did).await,
        AtIdentifier::Handle(handle) => {
            let found = account::by_handle(&app.db, handle).await?;
            Ok(found.filter(|account| account.status() != Status::Creating).map(Arc::new))
        }
    }
}
