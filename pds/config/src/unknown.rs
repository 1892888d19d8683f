//! Finds `PDS_*` names that mean nothing here, most often a typing error.

use crate::table::VARIABLES;

/// A name in the environment that no declaration knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The name as found.
    pub name: String,
    /// The known name that looks most like it, if one is close.
    pub nearest: Option<&'static str>,
}

/// The `PDS_*` names among `names` that are neither a variable nor a variable's `_FILE` form; sorted.
///
/// What Kubernetes adds for a Service called `pds` (`PDS_SERVICE_HOST`, `PDS_PORT_2583_TCP`, ...) is left out.
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
    name.starts_with("PDS_") && !known(name) && !name.strip_suffix("_FILE").is_some_and(known) && !is_service_link(name)
}

fn is_service_link(name: &str) -> bool {
    name.starts_with("PDS_SERVICE_HOST")
        || name.starts_with("PDS_SERVICE_PORT")
        || name.strip_prefix("PDS_PORT_").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// The closest known name, unless it would take more than a third of the letters to get there.
fn nearest(name: &str) -> Option<&'static str> {
    let (distance, nearest) = VARIABLES.iter().map(|v| (distance(name, v.name), v.name)).min()?;
    (distance * 3 <= name.len().saturating_sub("PDS_".len())).then_some(nearest)
}

/// Levenshtein distance over bytes, one row at a time.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.bytes().enumerate() {
            let substitute = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
