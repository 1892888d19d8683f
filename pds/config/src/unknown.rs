//! Finds `PDS_*` variables that exist neither here nor in the reference implementation. Most are typing errors.

use crate::reference;
use crate::table::VARIABLES;

/// A variable of the environment that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    pub name: String,
    /// The known name that is most similar, if one is similar.
    pub nearest: Option<&'static str>,
}

/// The `PDS_*` names among `names` that are neither a variable, here or in the reference implementation, nor the `_FILE` form of one; sorted.
///
/// Ignores the variables that Kubernetes adds for a Service called `pds` (`PDS_SERVICE_HOST`, `PDS_PORT_2583_TCP`, ...).
pub fn unknown_names<I, S>(names: I) -> Vec<Unknown>
where
    I: IntoIterator<Item = S>,
    S: AsRef<str>,
{
    let mut unknown: Vec<_> = names
        .into_iter()
        .filter(|name| is_unknown(name.as_ref()))
        .map(|name| Unknown { nearest: nearest(name.as_ref()), name: name.as_ref().to_owned() })
        .collect();
    unknown.sort_by(|a, b| a.name.cmp(&b.name));
    unknown
}

fn is_unknown(name: &str) -> bool {
    let known = |name: &str| VARIABLES.iter().any(|variable| variable.name == name);
    name.starts_with("PDS_")
        && !known(name)
        && reference::find(name).is_none()
        && !name.strip_suffix("_FILE").is_some_and(known)
        && !is_service_link(name)
}

fn is_service_link(name: &str) -> bool {
    name.starts_with("PDS_SERVICE_HOST")
        || name.starts_with("PDS_SERVICE_PORT")
        || name.strip_prefix("PDS_PORT_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The closest known name by edit distance. `None` if more than a third of the letters would have to change.
fn nearest(name: &str) -> Option<&'static str> {
    let distance = |known: &'static str| (strsim::levenshtein(name, known), known);
    let (distance, nearest) = VARIABLES.iter().map(|variable| distance(variable.name)).min()?;
    (distance * 3 <= name.len().saturating_sub("PDS_".len())).then_some(nearest)
}
