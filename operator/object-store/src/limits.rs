//! Limits on what a service may cost: time of requests, length of messages.

pub(crate) const CONNECT_SECONDS: u64 = 3;
pub(crate) const OPERATION_SECONDS: u64 = 15;

const LONGEST: usize = 300;

/// Text of others: one line of bounded length.
pub(crate) fn one_line(text: &str) -> String {
    let words: Vec<_> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let line: String = words.join(" ").chars().take(LONGEST).collect();
    line.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_is_one_bounded_line() {
        assert_eq!(one_line(" a\n\tb\u{1b}[31m.  "), "a b [31m");
        assert_eq!(one_line(&"x".repeat(1000)).len(), LONGEST);
    }
}
