//! Looks up the DID of a handle: in a DNS record and in a file on its web server. And the DID that publishes the lexicons of a domain. Caches
//! nothing.
//!
//! Source: <https://atproto.com/specs/handle#handle-resolution>.

use std::net::SocketAddr;

use hickory_resolver::{TokioResolver, proto::rr::RData};
use pds_syntax::{Did, Handle};

use crate::{
    Error, Guard,
    dns::{asking, system},
};

/// Looks up handles in DNS and on web servers.
pub(crate) struct HandleLookup {
    guard: Guard,
    dns: Option<TokioResolver>,
    backup: Option<TokioResolver>,
}

/// The DID, or `None` if the server responded that there is none, or why there is no response.
type Found = Result<Option<Did>, String>;

impl HandleLookup {
    /// Queries `nameservers`, or those of the system if the list is empty. Queries `backup` if neither they nor the web server have a DID.
    pub(crate) fn new(guard: Guard, nameservers: &[SocketAddr], backup: &[SocketAddr]) -> Self {
        let dns = if nameservers.is_empty() { system(None) } else { asking(nameservers, None) };
        Self { guard, dns, backup: if backup.is_empty() { None } else { asking(backup, None) } }
    }

    /// The DID of `handle`. Queries DNS and the web server at the same time. If both have a DID, the one in DNS counts.
    ///
    /// # Errors
    /// [`Error::NotFound`] if all servers responded that there is no DID, otherwise [`Error::Unreachable`].
    pub(crate) async fn ask(&self, handle: &Handle) -> Result<Did, Error> {
        let record = format!("_atproto.{handle}.");
        let dns = self.txt(self.dns.as_ref(), &record);
        let https = self.well_known(handle);
        tokio::pin!(dns, https);
        let (dns, https) = tokio::select! {
            dns = &mut dns => match dns {
                Ok(Some(did)) => return Ok(did),
                dns => (dns, https.await),
            },
            https = &mut https => (dns.await, https),
        };
        let mut failed = None;
        for found in [dns, https] {
            match found {
                Ok(Some(did)) => return Ok(did),
                Ok(None) => {}
                Err(reason) => failed = failed.or(Some(reason)),
            }
        }
        if self.backup.is_some()
            && let Ok(Some(did)) = self.txt(self.backup.as_ref(), &record).await
        {
            return Ok(did);
        }
        let name = handle.to_string();
        Err(failed
            .map_or_else(|| Error::NotFound(name.clone()), |reason| Error::Unreachable { name: name.clone(), reason }))
    }

    /// The DID that publishes the lexicons below a domain: DNS alone says so.
    ///
    /// # Errors
    /// As [`HandleLookup::ask`].
    pub(crate) async fn publisher(&self, domain: &str) -> Result<Did, Error> {
        let record = format!("_lexicon.{domain}.");
        let first = self.txt(self.dns.as_ref(), &record).await;
        if let Ok(Some(did)) = first {
            return Ok(did);
        }
        if self.backup.is_some()
            && let Ok(Some(did)) = self.txt(self.backup.as_ref(), &record).await
        {
            return Ok(did);
        }
        match first {
            Ok(_) => Err(Error::NotFound(record)),
            Err(reason) => Err(Error::Unreachable { name: record, reason }),
        }
    }

    async fn txt(&self, dns: Option<&TokioResolver>, record: &str) -> Found {
        let dns = dns.ok_or("the system has no DNS servers configured")?;
        let lookup = tokio::time::timeout(self.guard.timeout(), dns.txt_lookup(record)).await;
        let lookup = match lookup.map_err(|_| "the DNS servers did not respond in time".to_owned())? {
            Ok(lookup) => lookup,
            Err(error) if error.is_no_records_found() => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let texts = lookup.answers().iter().filter_map(|record| match &record.data {
            RData::TXT(txt) => String::from_utf8(txt.txt_data.concat()).ok(),
            _ => None,
        });
        let mut named = texts.filter_map(|text| Some(text.strip_prefix("did=")?.parse::<Did>()));
        // Several DIDs count as none. Source: <https://atproto.com/specs/handle#dns-txt-method>.
        match (named.next(), named.next()) {
            (Some(Ok(did)), None) => Ok(Some(did)),
            _ => Ok(None),
        }
    }

    async fn well_known(&self, handle: &Handle) -> Found {
        match self.guard.text(&format!("https://{handle}/.well-known/atproto-did")).await {
            Ok(text) => Ok(text.and_then(|text| text.lines().next()?.trim().parse().ok())),
            Err(error) => Err(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests;
