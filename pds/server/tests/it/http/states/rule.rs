//! How the table is written.

/// The columns of the table.
pub(super) const STATES: [&str; 5] = ["active", "deactivated", "suspended", "takendown", "deleted"];

/// Status and error name in each of the states.
pub(super) type Cells = [&'static str; STATES.len()];

/// Methods that answer alike.
pub(super) struct Rule {
    pub(super) methods: &'static [&'static str],
    pub(super) fresh: Fresh,
    pub(super) anonymous: Cells,
    pub(super) owner: Cells,
    pub(super) administrator: Cells,
}

/// How often a method gets an account of its own, because it changes what the next cell depends on.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Fresh {
    Never,
    /// The one reader whom it answers comes last.
    EachState,
    EachReader,
}

pub(super) const OK: &str = "200";
/// The answer of methods of the moderation service to a token that is none of a service.
pub(super) const NO_SERVICE: Cells = ["401 BadJwtType"; STATES.len()];
pub(super) const ALWAYS: Cells = [OK; STATES.len()];

impl Rule {
    /// Whoever asks.
    pub(super) const fn same(method: &'static &'static str, fresh: Fresh, cells: Cells) -> Self {
        Self { methods: std::slice::from_ref(method), fresh, anonymous: cells, owner: cells, administrator: cells }
    }

    /// The readers and their cells, in the order in which they are asked.
    pub(super) fn readers(&self) -> [(&'static str, Cells); 3] {
        let [anonymous, owner, administrator] =
            [("anonymous", self.anonymous), ("owner", self.owner), ("administrator", self.administrator)];
        match self.administrator.contains(&OK) {
            true => [anonymous, owner, administrator],
            false => [anonymous, administrator, owner],
        }
    }
}
