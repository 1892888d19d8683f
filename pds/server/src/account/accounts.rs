//! Reading accounts. A request asks the database itself while few do; those that would have to wait share a statement.

use std::{fmt, sync::Arc};

use pds_store::{
    Db, Error, Result,
    account::{self, Account, Current, Question},
};
use pds_syntax::{AtIdentifier, Did};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tracing::Instrument;

use crate::{report::Failed, trace::SPANS};

/// Maximum number of accounts in one statement.
const BATCH: usize = 128;
/// Maximum number of questions that wait; further ones wait for room.
const WAITING: usize = 1_024;
/// Statements under way. While they are, further questions are collected.
const AT_ONCE: usize = 2;

type Answer = Result<Option<Current>, Arc<Error>>;
type Asked = (Question, oneshot::Sender<Answer>);

/// The accounts of this host as they are now. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    db: Db,
    /// [`AT_ONCE`] of them.
    turns: Arc<Semaphore>,
    questions: mpsc::Sender<Asked>,
}

impl Accounts {
    /// Starts the task that reads accounts; it ends with the last clone.
    pub fn start(db: Db, failed: &Failed) -> Self {
        let (questions, receiver) = mpsc::channel(WAITING);
        let turns = Arc::new(Semaphore::new(AT_ONCE));
        failed.supervise("reader of accounts", run(db.clone(), turns.clone(), receiver));
        Self { db, turns, questions }
    }

    /// The account of a DID as it is after this call, and whether its session `session` was logged out. Reservations and deleted accounts are no accounts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn current(&self, did: Did, session: Option<String>) -> Result<Option<Current>> {
        let question = Question { did, session };
        let found = match self.turns.try_acquire() {
            Ok(_turn) => account::current(&self.db, vec![question]).await?.pop().flatten(),
            Err(_) => self.with_others(question).await?,
        };
        Ok(found.filter(|found| found.account.exists()))
    }

    /// The answer of a statement that other questions share.
    async fn with_others(&self, question: Question) -> Result<Option<Current>> {
        let (sender, answer) = oneshot::channel();
        let stopped = || Error::Stopped;
        self.questions.send((question, sender)).await.map_err(|_| stopped())?;
        let span = tracing::trace_span!(target: SPANS, "wait for account");
        answer.instrument(span).await.map_err(|_| stopped())?.map_err(Error::Shared)
    }

    /// The account of a DID as it is now. Reservations and deleted accounts are no accounts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn by_did(&self, did: &Did) -> Result<Option<Arc<Account>>> {
        let found = self.current(did.clone(), None).await?;
        Ok(found.map(|found| Arc::new(found.account)))
    }

    /// The account that an identifier names on this host, whatever its state. Reservations and deleted accounts are no accounts.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn find(&self, identifier: &AtIdentifier) -> Result<Option<Arc<Account>>> {
        match identifier {
            AtIdentifier::Did(did) => self.by_did(did).await,
            AtIdentifier::Handle(handle) => {
                let found = account::by_handle(&self.db, handle).await?;
                Ok(found.filter(Account::exists).map(Arc::new))
            }
        }
    }
}

async fn run(db: Db, turns: Arc<Semaphore>, mut receiver: mpsc::Receiver<Asked>) {
    while let Some(first) = receiver.recv().await {
        let Ok(turn) = turns.clone().acquire_owned().await else { return };
        // Those that have come while there was no turn are part of the statement.
        let mut asked = vec![first];
        while asked.len() < BATCH
            && let Ok(another) = receiver.try_recv()
        {
            asked.push(another);
        }
        let db = db.clone();
        tokio::spawn(async move {
            let _turn = turn;
            let (questions, answers): (Vec<_>, Vec<_>) = asked.into_iter().unzip();
            // A caller may have gone.
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

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accounts({} questions wait)", WAITING - self.questions.capacity())
    }
}
