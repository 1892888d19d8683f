//! What the benchmark measures: a task and an implementation of it.

/// One implementation of one task.
pub(crate) struct Case {
    /// The task. Cases with the same task are compared with each other.
    pub(crate) task: &'static str,
    /// The library that does it.
    pub(crate) by: &'static str,
    /// Does the task the given number of times.
    pub(crate) run: Box<dyn FnMut(u64)>,
}

impl Case {
    pub(crate) fn new<T>(task: &'static str, by: &'static str, mut once: impl FnMut() -> T + 'static) -> Self {
        let run = move |times| {
            for _ in 0..times {
                std::hint::black_box(once());
            }
        };
        Self { task, by, run: Box::new(run) }
    }

    /// Unique among all cases.
    pub(crate) fn name(&self) -> String {
        format!("{}: {}", self.task, self.by)
    }
}
