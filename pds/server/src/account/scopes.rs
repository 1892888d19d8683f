//! What a limited app password may do, in the syntax of OAuth scopes: writes of collections, uploads of media types, calls of other services. Pure.
//!
//! Source: <https://atproto.com/specs/permission>. Scopes of accounts and identities are not among them: no app password may change these.

use std::str::FromStr;

use pds_repo::Action;
use pds_syntax::{Did, Nsid};

/// Scopes of one app password, and bytes of all of them: each access token of its sessions contains them.
const MAX_COUNT: usize = 50;
const MAX_BYTES: usize = 2_048;

/// The scopes of an app password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

/// Why scopes cannot be those of an app password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    #[error("Input/scopes must have 1 to {MAX_COUNT} scopes of at most {MAX_BYTES} bytes together")]
    Count,
    #[error("Input/scopes: {scope:?} {reason}")]
    Scope { scope: String, reason: &'static str },
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Scope {
    Repo { collections: Vec<String>, actions: Vec<Action> },
    Blob { accepted: Vec<String> },
    Rpc { methods: Vec<String>, audience: String },
}

const ANY: &str = "*";

impl Scopes {
    /// Reads the scopes that an owner gives an app password.
    ///
    /// # Errors
    /// Which of them is not accepted, and why.
    pub fn read(given: &[String]) -> Result<Self, Error> {
        let bytes: usize = given.iter().map(|scope| scope.len() + 1).sum();
        if given.is_empty() || given.len() > MAX_COUNT || bytes > MAX_BYTES {
            return Err(Error::Count);
        }
        let read = |text: &String| text.parse().map_err(|reason| Error::Scope { scope: text.clone(), reason });
        given.iter().map(read).collect::<Result<_, _>>().map(Self)
    }

    /// Whether a record of this collection may be written.
    #[must_use]
    pub fn may_write(&self, action: Action, collection: &Nsid) -> bool {
        self.0.iter().any(|scope| match scope {
            Scope::Repo { collections, actions } => {
                actions.contains(&action) && names(collections, collection.as_str())
            }
            _ => false,
        })
    }

    /// Whether a blob with this media type may be uploaded.
    #[must_use]
    pub fn may_upload(&self, media_type: &str) -> bool {
        let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let fits = |accepted: &String| match accepted.strip_suffix("/*") {
            Some("*") => true,
            Some(kind) => essence.split_once('/').is_some_and(|(given, _)| given == kind),
            None => *accepted == essence,
        };
        self.0.iter().any(|scope| matches!(scope, Scope::Blob { accepted } if accepted.iter().any(fits)))
    }

    /// Whether a method may be called at a service, `DID#FRAGMENT` or a DID alone.
    #[must_use]
    pub fn may_call(&self, method: &str, service: &str) -> bool {
        self.0.iter().any(|scope| match scope {
            Scope::Rpc { methods, audience } => names(methods, method) && (audience == ANY || audience == service),
            _ => false,
        })
    }
}

/// The scopes in a token or a row, separated by spaces, which were read before.
impl FromStr for Scopes {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let given: Vec<String> = text.split(' ').map(str::to_owned).collect();
        Self::read(&given)
    }
}

impl FromStr for Scope {
    type Err = &'static str;

    /// `RESOURCE:VALUE?NAME=VALUE&...`, where the first value may be a parameter too.
    fn from_str(text: &str) -> Result<Self, &'static str> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("has spaces, or characters that are not ASCII");
        }
        let (head, query) = text.split_once('?').map_or((text, ""), |(head, query)| (head, query));
        let (resource, value) = head.split_once(':').map_or((head, None), |(resource, value)| (resource, Some(value)));
        let mut given = Given { parameters: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect() };
        let first = value.map(str::to_owned);
        let scope = match resource {
            "repo" => Self::repo(first, &mut given)?,
            "blob" => Self::blob(first, &mut given)?,
            "rpc" => Self::rpc(first, &mut given)?,
            _ => return Err("is not one of an app password: repo:, blob: or rpc:"),
        };
        if given.parameters.is_empty() { Ok(scope) } else { Err("has an unknown parameter") }
    }
}

impl Scope {
    fn repo(first: Option<String>, given: &mut Given) -> Result<Self, &'static str> {
        let collections = given.values(first, "collection")?;
        let is_good = |name: &String| name == ANY || name.parse::<Nsid>().is_ok();
        if collections.is_empty() || !collections.iter().all(is_good) {
            return Err("must name collections, or *");
        }
        let mut actions = Vec::new();
        for action in given.take("action") {
            actions.push(match action.as_str() {
                "create" => Action::Create,
                "update" => Action::Update,
                "delete" => Action::Delete,
                _ => return Err("has an action that is not create, update or delete"),
            });
        }
        if actions.is_empty() {
            actions = vec![Action::Create, Action::Update, Action::Delete];
        }
        Ok(Self::Repo { collections, actions })
    }

    fn blob(first: Option<String>, given: &mut Given) -> Result<Self, &'static str> {
        let accepted: Vec<_> = given.values(first, "accept")?.iter().map(|kind| kind.to_ascii_lowercase()).collect();
        let is_part = |part: &str| {
            !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
        };
        let is_good = |kind: &String| match kind.split_once('/') {
            Some((ANY, ANY)) => true,
            Some((kind, ANY)) => is_part(kind),
            Some((kind, sub)) => is_part(kind) && is_part(sub),
            None => false,
        };
        if accepted.is_empty() || !accepted.iter().all(is_good) {
            return Err("must name media types, such as image/* or */*");
        }
        Ok(Self::Blob { accepted })
    }

    fn rpc(first: Option<String>, given: &mut Given) -> Result<Self, &'static str> {
        let methods = given.values(first, "lxm")?;
        let is_good = |name: &String| name == ANY || name.parse::<Nsid>().is_ok();
        if methods.is_empty() || !methods.iter().all(is_good) {
            return Err("must name methods, or *");
        }
        let Ok([audience]) = <[String; 1]>::try_from(given.take("aud")) else {
            return Err("must name one service: aud=DID%23FRAGMENT, or aud=*");
        };
        let is_service = audience.split_once('#').is_some_and(|(did, fragment)| {
            did.parse::<Did>().is_ok() && !fragment.is_empty() && !fragment.contains('#')
        });
        if audience != ANY && !is_service {
            return Err("must name one service: aud=DID%23FRAGMENT, or aud=*");
        }
        if audience == ANY && methods.iter().any(|method| method == ANY) {
            return Err("must name methods or a service: all methods of all services are more than a limit");
        }
        Ok(Self::Rpc { methods, audience })
    }
}

/// The parameters of a scope that are not read yet.
struct Given {
    parameters: Vec<(String, String)>,
}

impl Given {
    fn take(&mut self, name: &str) -> Vec<String> {
        let all = std::mem::take(&mut self.parameters).into_iter();
        let (taken, left): (Vec<_>, Vec<_>) = all.partition(|(given, _)| given == name);
        self.parameters = left;
        taken.into_iter().map(|(_, value)| value).collect()
    }

    /// The value before the parameters, or those of the parameter that stands for it.
    fn values(&mut self, first: Option<String>, name: &str) -> Result<Vec<String>, &'static str> {
        let others = self.take(name);
        match first {
            None => Ok(others),
            Some(first) if others.is_empty() => Ok(vec![first]),
            Some(_) => Err("says the same thing before the parameters and among them"),
        }
    }
}

fn names(given: &[String], name: &str) -> bool {
    given.iter().any(|one| one == ANY || one == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scopes(given: &[&str]) -> Scopes {
        Scopes::read(&given.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn nsid(text: &str) -> Nsid {
        text.parse().unwrap()
    }

    #[test]
    fn collections_and_actions() {
        let all = scopes(&["repo:app.bsky.feed.post", "repo?collection=a.b.one&collection=a.b.two&action=create"]);
        for action in [Action::Create, Action::Update, Action::Delete] {
            assert!(all.may_write(action, &nsid("app.bsky.feed.post")));
            assert!(!all.may_write(action, &nsid("app.bsky.feed.like")));
            assert_eq!(all.may_write(action, &nsid("a.b.two")), action == Action::Create);
        }
        assert!(scopes(&["repo:*?action=delete"]).may_write(Action::Delete, &nsid("a.b.c")));
        assert!(!scopes(&["repo:*?action=delete"]).may_write(Action::Create, &nsid("a.b.c")));
        assert!(!scopes(&["blob:*/*"]).may_write(Action::Create, &nsid("a.b.c")));
    }

    #[test]
    fn media_types() {
        let images = scopes(&["blob:image/*", "blob?accept=video/mp4&accept=Text/Plain"]);
        for good in ["image/png", "IMAGE/JPEG", "video/mp4", "text/plain; charset=utf-8"] {
            assert!(images.may_upload(good), "{good}");
        }
        for bad in ["video/webm", "imagex/png", "image", "", "text/html"] {
            assert!(!images.may_upload(bad), "{bad}");
        }
        assert!(scopes(&["blob:*/*"]).may_upload("whatever/it-is"));
    }

    #[test]
    fn methods_and_services() {
        let view = "did:web:api.example.com#bsky_appview";
        let one = scopes(&["rpc:a.b.get?aud=did:web:api.example.com%23bsky_appview"]);
        assert!(one.may_call("a.b.get", view));
        assert!(!one.may_call("a.b.other", view));
        assert!(!one.may_call("a.b.get", "did:web:api.example.com") && !one.may_call("a.b.get", "did:web:x.test#a"));
        assert!(scopes(&["rpc:a.b.get?aud=*"]).may_call("a.b.get", "did:web:x.test"));
        assert!(scopes(&["rpc:*?aud=did:web:api.example.com%23bsky_appview"]).may_call("c.d.e", view));
    }

    #[test]
    fn what_cannot_be_a_limit_is_refused_and_what_was_read_is_read_again() {
        for bad in [
            "",
            "atproto",
            "account:email",
            "identity:*",
            "repo",
            "repo:",
            "repo:posts",
            "repo:a.b.c?action=read",
            "repo:a.b.c?collection=a.b.d",
            "repo:a.b.c?x=y",
            "blob:",
            "blob:image",
            "blob:*/png",
            "rpc:a.b.c",
            "rpc:a.b.c?aud=did:web:a.test",
            "rpc:*?aud=*",
            "rpc:a.b.c?aud=*&aud=*",
            "repo:a.b.c repo:*",
            "repo:ä.b.c",
        ] {
            let refused = Scopes::read(&[bad.to_owned()]).unwrap_err();
            assert!(matches!(refused, Error::Scope { .. }), "{bad}: {refused}");
        }
        assert_eq!(Scopes::read(&[]), Err(Error::Count));
        assert_eq!(Scopes::read(&vec!["repo:*".to_owned(); 51]), Err(Error::Count));
        assert_eq!(Scopes::read(&[format!("repo:{}", "a".repeat(2_050))]), Err(Error::Count));
        assert_eq!("repo:a.b.c blob:*/*".parse(), Ok(scopes(&["repo:a.b.c", "blob:*/*"])));
    }
}
