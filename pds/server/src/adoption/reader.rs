//! A file of the directory, asked from asynchronous code.

use std::sync::{Arc, Mutex, PoisonError};

use crate::task::run_blocking;

/// A file that one question at a time is put to, on a thread that may block. Cheap to clone.
pub(super) struct Reader<T>(Arc<Mutex<T>>);

impl<T> Clone for Reader<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + 'static> Reader<T> {
    pub(super) fn new(file: T) -> Self {
        Self(Arc::new(Mutex::new(file)))
    }

    pub(super) async fn ask<R: Send + 'static>(&self, question: impl FnOnce(&T) -> R + Send + 'static) -> R {
        let this = self.0.clone();
        run_blocking(move || question(&this.lock().unwrap_or_else(PoisonError::into_inner))).await
    }
}
