//! CIDs as text: the type of the product, compared with the `cid` crate, which supports all forms.

use anyhow::Result;

use crate::case::Case;

pub(crate) fn cases() -> Result<Vec<Case>> {
    let own = pds_repo::Cid::dag_cbor(b"block");
    let other = cid::Cid::from(own);
    let text = own.to_string();
    let again = text.clone();
    anyhow::ensure!(text == other.to_string(), "one text");
    Ok(vec![
        Case::new("CID to text", "pds-repo (product)", move || own.to_string()),
        Case::new("CID to text", "cid", move || other.to_string()),
        Case::new("CID from text", "pds-repo (product)", move || text.parse::<pds_repo::Cid>()),
        Case::new("CID from text", "cid", move || again.parse::<cid::Cid>()),
    ])
}
