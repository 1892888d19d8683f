//! The languages that a client asks for.

/// Maximum number of languages of a request that count, and of characters of one.
const MOST: usize = 8;
const LONGEST: usize = 35;

/// Language tags in lower case, the most wanted first.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Languages(Vec<String>);

impl Languages {
    /// From the value of a header `Accept-Language`. Whatever is not a language tag is ignored.
    pub fn parse(header: &str) -> Self {
        let mut found: Vec<(f32, String)> = header.split(',').take(MOST).filter_map(wanted).collect();
        found.sort_by(|a, b| b.0.total_cmp(&a.0));
        Self(found.into_iter().map(|(_, tag)| tag).collect())
    }

    /// Each language, followed by the more general ones of which it is a kind: `pt-br`, `pt`.
    pub(super) fn tags(&self) -> impl Iterator<Item = &str> {
        self.0.iter().flat_map(|tag| {
            std::iter::successors(Some(tag.as_str()), |tag| tag.rsplit_once('-').map(|(general, _)| general))
        })
    }
}

/// A language and how much it is wanted.
fn wanted(item: &str) -> Option<(f32, String)> {
    let mut parts = item.split(';').map(str::trim);
    let tag = parts.next()?;
    let is_tag = (1..=LONGEST).contains(&tag.len())
        && tag.split('-').all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    let quality = match parts.find_map(|part| part.strip_prefix("q=")) {
        Some(text) => text.parse().ok().filter(|quality| (0.0..=1.0).contains(quality))?,
        None => 1.0,
    };
    (is_tag && quality > 0.0).then(|| (quality, tag.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_wanted_language_comes_first() {
        let languages = Languages::parse("fr;q=0.5, pt-BR, *;q=0.1, ../../etc, de;q=0, en;q=nonsense, it;q=0.9");
        assert_eq!(languages.0, ["pt-br", "it", "fr"]);
        assert_eq!(languages.tags().collect::<Vec<_>>(), ["pt-br", "pt", "it", "fr"]);
        assert_eq!(Languages::parse(""), Languages::default());
        assert_eq!(Languages::parse(&"de,".repeat(10_000)).0.len(), MOST);
    }
}
