//! Which lines about successful reads are logged.

use std::fmt;
use std::str::FromStr;

use pds_syntax::Nsid;

/// The value of `PDS_LOG_SAMPLE`. Without parts, every line is logged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LogSample {
    /// One in so many lines about reads is logged, of each route.
    pub reads: Option<u32>,
    /// One in so many lines about each of these methods.
    pub methods: Vec<(Nsid, u32)>,
}

/// Prefix of methods that may be left out.
const OF_PROTOCOL: &str = "com.atproto.";

/// The smallest fraction is one in a million.
const MOST: u32 = 1_000_000;

impl FromStr for LogSample {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut sample = Self::default();
        for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
            let wrong = |reason: &str| format!("{item:?} {reason}");
            let Some((name, fraction)) = item.split_once('=') else {
                let every = item.parse().ok().filter(|every| (1..=MOST).contains(every));
                let every =
                    every.ok_or_else(|| wrong("is neither a number from 1 to 1000000 nor a method with a fraction"))?;
                if sample.reads.replace(every).is_some() {
                    return Err(wrong("is a second number"));
                }
                continue;
            };
            let method = method(name).ok_or_else(|| wrong("does not begin with the name of a method"))?;
            let every = one_in(fraction).ok_or_else(|| wrong("does not end with a fraction from 0.000001 to 1"))?;
            if sample.methods.iter().any(|(other, _)| *other == method) {
                return Err(wrong("names a method that was named before"));
            }
            sample.methods.push((method, every));
        }
        Ok(sample)
    }
}

impl fmt::Display for LogSample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reads = self.reads.map(|every| every.to_string());
        let methods = self.methods.iter().map(|(name, every)| format!("{name}={}", 1.0 / f64::from(*every)));
        f.write_str(&reads.into_iter().chain(methods).collect::<Vec<_>>().join(","))
    }
}

fn method(name: &str) -> Option<Nsid> {
    let name = name.trim();
    match name.matches('.').count() {
        1 => format!("{OF_PROTOCOL}{name}").parse().ok(),
        _ => name.parse().ok(),
    }
}

fn one_in(fraction: &str) -> Option<u32> {
    let fraction: f64 = fraction.trim().parse().ok()?;
    // Written so that what is no number is refused.
    let fits = fraction >= 1.0 / f64::from(MOST) && fraction <= 1.0;
    fits.then(|| (1.0 / fraction).round() as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_and_methods_with_fractions_are_read_and_written() {
        let sample: LogSample =
            "100, sync.getBlob=0.01,app.bsky.actor.getProfile=0.3,com.atproto.repo.getRecord=1".parse().unwrap();
        assert_eq!(sample.reads, Some(100));
        let methods: Vec<_> = sample.methods.iter().map(|(name, every)| (name.as_str(), *every)).collect();
        let expected =
            [("com.atproto.sync.getBlob", 100), ("app.bsky.actor.getProfile", 3), ("com.atproto.repo.getRecord", 1)];
        assert_eq!(methods, expected);
        assert_eq!(sample.to_string().parse(), Ok(sample));
        for every in [1, 3, 7, 999, 12_345, 1_000_000] {
            let sample = LogSample { reads: None, methods: vec![("com.example.a".parse().unwrap(), every)] };
            assert_eq!(sample.to_string().parse(), Ok(sample));
        }
    }

    #[test]
    fn mistakes_are_refused() {
        for text in [
            "0",
            "-1",
            "0.01",
            "2000000",
            "sync.getBlob",
            "sync.getBlob=0",
            "sync.getBlob=2",
            "sync.getBlob=NaN",
            "getBlob=0.1",
            "10,20",
            "a.b=0.1,a.b=0.2",
        ] {
            assert!(text.parse::<LogSample>().is_err(), "{text}");
        }
    }
}
