//! Every method has a test, tests cite only requirements that exist, and the table of requirements says the truth about the tests.

use std::path::Path;

use anyhow::Result;

use super::problem::Problem;
use crate::requirement::{SECTIONS, Standing, citations, is_known, needless, proofs};
use crate::tree::Tree;

const TABLE: &str = "xtask/src/requirement/table.rs";
const SHARED: &str = "xtask/src/requirement/method.rs";

pub(super) fn check(tree: &Tree) -> Result<Vec<Problem>> {
    let proofs = proofs(tree)?;
    let mut problems: Vec<_> = proofs
        .iter()
        .filter_map(|proof| {
            let missing = proof.missing?;
            let message = format!(
                "the file of the tests of {} {missing}; write them there, or name another file and why in SHARED of {SHARED}",
                proof.nsid
            );
            Some(Problem::new(&proof.path, 1, message))
        })
        .collect();
    problems.extend(needless(tree, &proofs).into_iter().map(|nsid| {
        Problem::new(SHARED, 1, format!("SHARED has {nsid}, which does not exist or has a file of its own; remove it"))
    }));
    let citations = citations(tree);
    problems.extend(citations.iter().filter(|citation| !is_known(&citation.id)).map(|citation| {
        Problem::new(&citation.path, citation.line, format!("{} is no requirement of {TABLE}", citation.id))
    }));
    let partly = SECTIONS.iter().flat_map(|section| section.rows);
    let partly = partly.filter(|row| matches!(row.standing, Standing::Partly(_)));
    problems.extend(
        partly
            .filter(|row| !citations.iter().any(|citation| citation.id == row.id))
            .map(|row| Problem::new(Path::new(TABLE), 1, format!("{} is partly shown, but no test cites it", row.id))),
    );
    Ok(problems)
}
