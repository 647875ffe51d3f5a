//! The share of the work that a task does.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Shard `nth` (from 1) of `of`: every `of`th item, from the `nth` on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Shard {
    /// Number of the shard, from 1.
    pub nth: u64,
    /// Number of shards.
    pub of: u64,
}

impl Shard {
    /// Shards of an array, at most: the schedulers in use take fewer.
    pub const MOST: u64 = 100_000;

    /// The only shard of undivided work.
    pub const WHOLE: Self = Self { nth: 1, of: 1 };

    /// Returns true where the `index`th item, from 0, is in this shard.
    pub fn has(self, index: u64) -> bool {
        index % self.of + 1 == self.nth
    }

    /// Returns the name of a file of this shard: `shard-3-of-8` with an ending.
    pub fn file_name(self, ending: &str) -> String {
        format!("shard-{}-of-{}.{ending}", self.nth, self.of)
    }

    /// Returns the shard that a file of this name and ending belongs to.
    pub fn of_file(name: &str, ending: &str) -> Option<Self> {
        let name = name.strip_prefix("shard-")?.strip_suffix(ending)?.strip_suffix('.')?;
        name.replacen("-of-", "/", 1).parse().ok()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.nth, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    /// Reads `I/N`.
    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.parse::<u64>().ok();
        match text.split_once('/').and_then(|(nth, of)| Some((number(nth)?, number(of)?))) {
            Some((nth, of)) if 1 <= nth && nth <= of && of <= Self::MOST => Ok(Self { nth, of }),
            _ => Err(format!("it has to be I/N, two whole numbers with 1 <= I <= N <= {}", Self::MOST)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_one_of_several() {
        assert_eq!("2/3".parse(), Ok(Shard { nth: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "1", "1/0", "a/b", "-1/2", "1/18446744073709551615"] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_item_is_one_shard_s() {
        for index in 0..20 {
            assert_eq!((1..=6).filter(|nth| Shard { nth: *nth, of: 6 }.has(index)).count(), 1, "{index}");
        }
    }

    #[test]
    fn a_file_s_name_says_whose_it_is() {
        let shard = Shard { nth: 3, of: 16 };
        assert_eq!(Shard::of_file(&shard.file_name("part"), "part"), Some(shard));
        for other in
            ["shard-3-of-16.run", "shard-17-of-16.part", "whole.part", "shard-3-of-16.part.bak", "shard--of-.part"]
        {
            assert_eq!(Shard::of_file(other, "part"), None, "{other}");
        }
    }
}
