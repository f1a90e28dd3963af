//! How far the digest of the whole can be gone on from by a later run.

use std::collections::{BTreeMap, BTreeSet};

use crate::HashMark;

/// Tells with which part's record the mark moves.
///
/// A mark says that parts 1 to so many are in the kept state, and each of them is recorded: a run that goes on from it knows
/// their digests. Parts are recorded at once and in any order, so the mark moves with the record of the part right
/// after those that are on disk.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Parts 1 to this are recorded and hashed.
    floor: u32,
    /// Those above it.
    above: BTreeSet<u32>,
    /// The state after each part above the floor that has been hashed.
    states: BTreeMap<u32, Vec<u8>>,
}

impl Marks {
    /// Going on from a mark.
    pub(super) fn from(floor: u32) -> Self {
        Self { floor, ..Self::default() }
    }

    /// The mark to record along with that part, after which the state is the one given: none while a part before it is
    /// missing.
    pub(super) fn along_with(&mut self, number: u32, state: Vec<u8>) -> Option<HashMark> {
        self.states.insert(number, state);
        if number != self.floor + 1 {
            return None;
        }
        let in_a_row = (number..).take_while(|next| *next == number || self.above.contains(next));
        let (parts, state) = in_a_row.filter_map(|next| Some((next, self.states.get(&next)?))).last()?;
        Some(HashMark { parts, state: state.clone() })
    }

    /// That part's record is on disk.
    pub(super) fn recorded(&mut self, number: u32) {
        self.above.insert(number);
        while self.above.remove(&(self.floor + 1)) {
            self.floor += 1;
        }
        self.states = self.states.split_off(&(self.floor + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn along(marks: &mut Marks, number: u32) -> Option<u32> {
        let mark = marks.along_with(number, vec![u8::try_from(number).unwrap()])?;
        assert_eq!(
            mark.state,
            [u8::try_from(mark.parts).unwrap()],
            "the state after the last part of the mark"
        );
        Some(mark.parts)
    }

    #[test]
    fn in_order_it_moves_with_each_part() {
        let mut marks = Marks::default();
        for number in 1..=5 {
            assert_eq!(along(&mut marks, number), Some(number));
            marks.recorded(number);
        }
        assert!(marks.states.is_empty() && marks.above.is_empty());
    }

    #[test]
    fn it_never_covers_a_part_that_is_not_on_disk() {
        let mut marks = Marks::from(4);
        assert_eq!(along(&mut marks, 6), None, "5 is missing");
        assert_eq!(along(&mut marks, 5), Some(5), "6 isn't on disk yet");
        marks.recorded(6);
        assert_eq!(along(&mut marks, 7), None, "5 isn't on disk yet");
        marks.recorded(5);
        assert_eq!(along(&mut marks, 8), None, "7 isn't on disk yet");
        marks.recorded(8);
        marks.recorded(7);
        assert_eq!(along(&mut marks, 9), Some(9));
    }

    #[test]
    fn the_part_that_was_missing_takes_those_after_it_along() {
        let mut marks = Marks::default();
        for number in [2, 3, 5] {
            assert_eq!(along(&mut marks, number), None);
            marks.recorded(number);
        }
        assert_eq!(along(&mut marks, 1), Some(3));
    }

    #[test]
    fn a_part_without_a_state_ends_it() {
        let mut marks = Marks::default();
        marks.recorded(2);
        assert_eq!(along(&mut marks, 1), Some(1), "2, the last, was recorded without a state");
    }
}
