//! A part of the targets, for one of several machines.

use std::ops::Range;
use std::str::FromStr;

/// Part number `number` of `parts`, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    number: usize,
    parts: usize,
}

impl Shard {
    /// Which of so many targets are in it: parts follow one another, and differ by one target at most.
    pub(crate) fn range(self, count: usize) -> Range<usize> {
        let end = |parts: usize| {
            let whole = (count as u128 * parts as u128) / self.parts as u128;
            // At most `count`.
            whole as usize
        };
        end(self.number - 1)..end(self.number)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = |text: &str| text.trim().parse::<usize>().ok();
        let pair = text.split_once('/');
        let pair = pair.and_then(|(one, all)| number(one).zip(number(all)));
        pair.filter(|(number, parts)| (1..=*parts).contains(number))
            .map(|(number, parts)| Self { number, parts })
            .ok_or_else(|| "expected I/P, I from 1 to P".into())
    }
}

/// What a result says of the run that it is a part of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PartOf {
    /// The first of its targets, how many there are in it, and in all.
    pub(crate) place: [usize; 3],
    /// A digest of all that every part's answers depend on besides its targets.
    pub(crate) run: Vec<u8>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test's way to fail")]
    use super::*;

    #[test]
    fn parts_follow_one_another_and_are_alike() {
        for count in [0, 1, 2, 7, 100, usize::MAX] {
            for parts in [1, 2, 3, 7, 10] {
                let (mut next, mut lengths) = (0, Vec::new());
                for number in 1..=parts {
                    let range = Shard { number, parts }.range(count);
                    assert_eq!(range.start, next);
                    next = range.end;
                    lengths.push(range.len());
                }
                assert_eq!(next, count);
                let (least, most) = (lengths.iter().min().unwrap(), lengths.iter().max().unwrap());
                assert!(most - least <= 1);
            }
        }
    }

    #[test]
    fn a_part_is_one_of_several() {
        assert_eq!(
            "2/3".parse(),
            Ok(Shard {
                number: 2,
                parts: 3
            })
        );
        for bad in ["", "0/3", "4/3", "1", "1/0", "a/b", "-1/2", "1/2/3"] {
            assert!(bad.parse::<Shard>().is_err(), "{bad}");
        }
    }
}
