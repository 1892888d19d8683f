//! Timestamp identifiers, which revisions and most record keys are.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Error;

const ALPHABET: &[u8; 32] = b"234567abcdefghijklmnopqrstuvwxyz";
/// Bits of the clock identifier below the microseconds.
const CLOCK_BITS: u32 = 10;

/// 53 bits of microseconds since 1970, then 10 bits of clock identifier. The text form has 13 characters of sortable base32.
/// Source: <https://atproto.com/specs/tid>.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tid(u64);

impl Tid {
    /// The TID of a time. Uses only the low 10 bits of `clock_id`.
    pub fn from_micros(micros: u64, clock_id: u16) -> Self {
        Self(((micros << CLOCK_BITS) | u64::from(clock_id & 0x3ff)) & (u64::MAX >> 1))
    }

    /// Microseconds since 1970.
    pub fn micros(self) -> u64 {
        self.0 >> CLOCK_BITS
    }

    /// The clock identifier.
    pub fn clock_id(self) -> u16 {
        (self.0 & 0x3ff) as u16
    }

    fn text(self) -> [u8; 13] {
        let mut out = [0; 13];
        for (n, byte) in out.iter_mut().enumerate() {
            *byte = ALPHABET[(self.0 >> (60 - 5 * n) & 31) as usize];
        }
        out
    }
}

impl FromStr for Tid {
    type Err = Error;
    fn from_str(text: &str) -> Result<Self, Error> {
        let error = |reason| Error::new("tid", text, reason);
        let bytes: &[u8; 13] = text.as_bytes().try_into().map_err(|_| error("must have 13 characters"))?;
        let mut value = 0u64;
        for byte in bytes {
            let digit =
                ALPHABET.iter().position(|c| c == byte).ok_or_else(|| error("may contain only 2 to 7 and a to z"))?;
            if value >> 59 != 0 {
                return Err(error("the first character must be 2 to 7 or a to j"));
            }
            value = value << 5 | digit as u64;
        }
        Ok(Self(value))
    }
}

impl TryFrom<String> for Tid {
    type Error = Error;
    fn try_from(text: String) -> Result<Self, Error> {
        text.parse()
    }
}

impl fmt::Display for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().iter().try_for_each(|byte| fmt::Write::write_char(f, char::from(*byte)))
    }
}

impl fmt::Debug for Tid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Tid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Tid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Makes ascending TIDs, even if the time of the caller stands still or goes back.
#[derive(Debug)]
pub struct Clock {
    clock_id: u16,
    last: std::sync::atomic::AtomicU64,
}

impl Clock {
    /// `clock_id` distinguishes processes that make TIDs in the same microsecond. Uses only its low 10 bits.
    pub fn new(clock_id: u16) -> Self {
        Self { clock_id, last: std::sync::atomic::AtomicU64::new(0) }
    }

    /// The next TID at `now_us`. Greater than all earlier results of this method.
    pub fn next(&self, now_us: u64) -> Tid {
        use std::sync::atomic::Ordering;
        let mut micros = now_us;
        let _ = self.last.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
            micros = now_us.max(last + 1);
            Some(micros)
        });
        Tid::from_micros(micros, self.clock_id)
    }

    /// The next TID at `now_us` that is greater than `floor`, the last revision of one repository.
    ///
    /// The clock never adopts the floor. An imported repository may have a revision in the future; the revisions and record keys of all other
    /// accounts still follow the time. Two calls with the same floor may return the same TID, so each repository must have one writer at a
    /// time.
    pub fn next_after(&self, now_us: u64, floor: Tid) -> Tid {
        self.next(now_us).max(Tid::from_micros(floor.micros() + 1, self.clock_id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_round_trips_and_sorts_like_numbers() {
        let early = Tid::from_micros(1_700_000_000_000_000, 5);
        let late = Tid::from_micros(1_700_000_000_000_001, 0);
        assert!(early < late && early.to_string() < late.to_string());
        assert_eq!(early.to_string().parse::<Tid>().unwrap(), early);
        assert_eq!((early.micros(), early.clock_id()), (1_700_000_000_000_000, 5));
    }

    /// Found by fuzzing: the grammar lets the topmost bit be set, which no clock of ours does.
    #[test]
    fn the_first_character_may_be_anything_up_to_j() {
        for text in ["c222222222222", "fji3zcreiaz3a", "jzzzzzzzzzzzz"] {
            assert_eq!(text.parse::<Tid>().unwrap().to_string(), text);
        }
        assert!("k222222222222".parse::<Tid>().is_err());
    }

    #[test]
    fn clock_never_goes_back() {
        let clock = Clock::new(3);
        let first = clock.next(1000);
        let second = clock.next(10);
        assert!(first < second && second.micros() == 1001);
    }

    /// F3
    #[test]
    fn a_floor_of_the_future_moves_nothing_but_its_own_repository() {
        let clock = Clock::new(3);
        let future = Tid::from_micros(5_000_000, 1023);
        let above = clock.next_after(1000, future);
        assert!(above > future && above.micros() == 5_000_001);
        assert_eq!(clock.next(1001).micros(), 1001);
        assert!(clock.next_after(1002, above) > above);
        let past = Tid::from_micros(5, 0);
        assert_eq!(clock.next_after(2000, past).micros(), 2000);
    }
}
