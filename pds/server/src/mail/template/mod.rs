//! The templates of mails: built in, or from a folder of the host.
//!
//! A language is a folder. Each kind of mail has a text, whose first line is the subject, and HTML. The folder of the host has priority; what it does
//! not have is built in, in English. All templates are read and tried at the start.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::{Kind, Languages};

/// The language of the built-in templates.
const BUILT_IN: &str = "en";
/// Maximum size of a template in bytes, and maximum number of files.
const LARGEST: u64 = 256 * 1024;
const MOST: usize = 2_000;

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../templates/mail/en/", $name)))),*]
    };
}

const FILES: &[(&str, &str)] = built_in![
    "layout.html",
    "confirm-email.txt",
    "confirm-email.html",
    "update-email.txt",
    "update-email.html",
    "reset-password.txt",
    "reset-password.html",
    "delete-account.txt",
    "delete-account.html",
    "plc-operation.txt",
    "plc-operation.html",
    "sign-in.txt",
    "sign-in.html",
    "email-changed.txt",
    "email-changed.html",
    "account-deleted.txt",
    "account-deleted.html",
    "moderation.txt",
    "moderation.html",
];

/// Why templates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplatesError {
    /// A file or folder could not be read.
    #[error("read {}", .path.display())]
    Read {
        /// The file or folder.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// A file has a name that no template has, which is most likely a typing error.
    #[error("{} is no template; allowed: {allowed}", .path.display())]
    Unknown {
        /// The file.
        path: PathBuf,
        /// The names of templates.
        allowed: String,
    },
    /// A text without its HTML, or the other way round.
    #[error("the language {language} has {name} without the other of its .txt and .html")]
    Alone {
        /// The folder's name.
        language: String,
        /// The file's name.
        name: String,
    },
    /// A file is too large, or there are too many.
    #[error("{} is too large, or one of more than {MOST} files; allowed: {LARGEST} bytes", .path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A template has a mistake.
    #[error("the template {name}")]
    Template {
        /// Language and file name.
        name: String,
        /// The mistake, with its line.
        #[source]
        source: minijinja::Error,
    },
    /// A text does not begin with a subject.
    #[error("the template {name} does not begin with a line `Subject: ...` and an empty line")]
    NoSubject {
        /// Language and file name.
        name: String,
    },
    /// There are no templates of the host's language.
    #[error("there are no templates of the language {language}")]
    NoLanguage {
        /// The language.
        language: String,
    },
}

/// A mail ready to be sent.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Rendered {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

/// The values of a template by their names.
pub(super) type Values = BTreeMap<String, String>;

/// All templates. Cheap to clone.
#[derive(Clone)]
pub struct Templates(Arc<Inner>);

struct Inner {
    environment: Environment<'static>,
    /// The names of the templates: `en/confirm-email.txt`.
    names: BTreeSet<String>,
    /// For users whose app asks for no language that there are templates for.
    language: String,
}

impl Templates {
    /// Reads the templates of `folder`, if there is one, and tries each.
    ///
    /// # Errors
    /// When a template cannot be used, or there is none of `language`.
    pub fn load(folder: Option<&Path>, language: &str) -> Result<Self, TemplatesError> {
        let mut files: BTreeMap<String, String> =
            FILES.iter().map(|(name, text)| (format!("{BUILT_IN}/{name}"), (*text).to_owned())).collect();
        if let Some(folder) = folder {
            files.extend(read(folder)?);
        }
        let names: BTreeSet<String> = files.keys().cloned().collect();
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_auto_escape_callback(|name| match name.ends_with(".html") {
            true => AutoEscape::Html,
            false => AutoEscape::None,
        });
        let known = names.clone();
        // The layout of the same language, or the built-in one.
        environment.set_path_join_callback(move |name, parent| {
            let own = parent.split_once('/').map(|(language, _)| format!("{language}/{name}"));
            own.filter(|own| known.contains(own)).unwrap_or_else(|| format!("{BUILT_IN}/{name}")).into()
        });
        for (name, text) in files {
            let added = environment.add_template_owned(name.clone(), text);
            added.map_err(|source| TemplatesError::Template { name, source })?;
        }
        let templates = Self(Arc::new(Inner { environment, names, language: language.to_owned() }));
        templates.try_all()?;
        Ok(templates)
    }

    /// The language in which a user gets a mail of this kind.
    pub(super) fn language(&self, kind: Kind, wanted: &Languages) -> String {
        let has = |language: &str| self.0.names.contains(&format!("{language}/{}.txt", kind.name()));
        let own = self.0.language.as_str();
        let found = wanted.tags().chain([own]).find(|language| has(language));
        found.unwrap_or(BUILT_IN).to_owned()
    }

    /// A mail in this language, which has to be one of [`Templates::language`]. If the templates have changed since, the built-in ones are used.
    ///
    /// # Errors
    /// When a template has a mistake.
    pub(super) fn render(&self, kind: Kind, language: &str, values: &Values) -> Result<Rendered, TemplatesError> {
        let text = format!("{language}/{}.txt", kind.name());
        let language = if self.0.names.contains(&text) { language } else { BUILT_IN };
        let (name, text) = self.fill(language, kind, "txt", values)?;
        let (subject, text) = split(&text).ok_or(TemplatesError::NoSubject { name })?;
        let (_, html) = self.fill(language, kind, "html", values)?;
        Ok(Rendered { subject, text, html })
    }

    fn fill(
        &self,
        language: &str,
        kind: Kind,
        extension: &str,
        values: &Values,
    ) -> Result<(String, String), TemplatesError> {
        let name = format!("{language}/{}.{extension}", kind.name());
        let given = minijinja::Value::from_pairs(values.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let filled = self.0.environment.get_template(&name).and_then(|template| template.render(given));
        match filled {
            Ok(text) => Ok((name, text)),
            Err(source) => Err(TemplatesError::Template { name, source }),
        }
    }

    /// Renders each template with values of each name, and without those that are not always there.
    fn try_all(&self) -> Result<(), TemplatesError> {
        let own = self.0.language.as_str();
        if !self.0.names.iter().any(|name| name.split_once('/').is_some_and(|(language, _)| language == own)) {
            return Err(TemplatesError::NoLanguage { language: own.to_owned() });
        }
        let languages: BTreeSet<&str> = self.0.names.iter().filter_map(|name| Some(name.split_once('/')?.0)).collect();
        for language in languages {
            for kind in Kind::ALL {
                let names = ["txt", "html"].map(|extension| format!("{language}/{}.{extension}", kind.name()));
                match names.each_ref().map(|name| self.0.names.contains(name)) {
                    [true, true] => self.render(kind, language, &sample(kind)).map(drop)?,
                    [false, false] => {}
                    [has_text, _] => {
                        let name = format!("{}.{}", kind.name(), if has_text { "txt" } else { "html" });
                        return Err(TemplatesError::Alone { language: language.to_owned(), name });
                    }
                }
            }
        }
        Ok(())
    }
}

/// Subject and text.
fn split(text: &str) -> Option<(String, String)> {
    let (first, rest) = text.split_once('\n')?;
    let subject = first.strip_prefix("Subject:")?.trim();
    let rest = rest.strip_prefix('\n').or_else(|| rest.strip_prefix("\r\n"))?;
    // A line break would begin another header.
    let is_line = !subject.is_empty() && !subject.contains(char::is_control);
    is_line.then(|| (subject.to_owned(), rest.to_owned()))
}

/// The values that templates of this kind may use.
fn sample(kind: Kind) -> Values {
    let mut names = vec!["host", "handle"];
    match kind {
        Kind::ConfirmEmail => names.extend(["code", "minutes", "link"]),
        Kind::UpdateEmail | Kind::ResetPassword | Kind::DeleteAccount | Kind::PlcOperation | Kind::SignIn => {
            names.extend(["code", "minutes"]);
        }
        Kind::EmailChanged => {}
        Kind::AccountDeleted => names.push("days"),
        Kind::Moderation => names.extend(["subject", "content", "plain"]),
    }
    names.into_iter().map(|name| (name.to_owned(), format!("<{name}>"))).collect()
}

/// The templates of a folder, by language and file name.
fn read(folder: &Path) -> Result<BTreeMap<String, String>, TemplatesError> {
    let mut files = BTreeMap::new();
    for (language, languages_folder) in entries(folder)? {
        if !languages_folder.is_dir() {
            return Err(unknown(languages_folder));
        }
        for (name, path) in entries(&languages_folder)? {
            if !FILES.iter().any(|(known, _)| *known == name) {
                return Err(unknown(path));
            }
            let failed = |source| TemplatesError::Read { path: path.clone(), source };
            if fs::metadata(&path).map_err(failed)?.len() > LARGEST || files.len() >= MOST {
                return Err(TemplatesError::TooLarge { path });
            }
            let text = fs::read_to_string(&path).map_err(failed)?;
            files.insert(format!("{}/{name}", language.to_ascii_lowercase()), text);
        }
    }
    Ok(files)
}

/// The entries of a folder, without hidden ones, as which Kubernetes mounts the versions of a ConfigMap.
fn entries(folder: &Path) -> Result<Vec<(String, PathBuf)>, TemplatesError> {
    let failed = |source| TemplatesError::Read { path: folder.to_owned(), source };
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            found.push((name, entry.path()));
        }
    }
    Ok(found)
}

fn unknown(path: PathBuf) -> TemplatesError {
    let names: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
    TemplatesError::Unknown { path, allowed: format!("LANGUAGE/{}", names.join(", LANGUAGE/")) }
}

impl fmt::Debug for Templates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Templates({})", self.0.names.len())
    }
}

#[cfg(test)]
mod tests;
