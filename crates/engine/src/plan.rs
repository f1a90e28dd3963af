//! How an object is cut into parts.

use std::ops::Range;

use cabotage_core::{Capabilities, Error, ErrorKind, Result};

use crate::{DigestForm, Options};

/// How an object is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// In one request.
    Single,
    /// In equal parts but for the last.
    Parts(Cut),
}

/// Equal parts of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The object's size in bytes.
    pub size: u64,
    /// Each part's size but for the last.
    pub part: u64,
}

impl Cut {
    /// How many parts.
    pub(crate) fn count(self) -> u32 {
        u32::try_from(self.size.div_ceil(self.part)).unwrap_or(u32::MAX)
    }

    /// That of the digest which its parts' digests make.
    pub(crate) fn form(self) -> DigestForm {
        DigestForm::Composite { part_size: self.part }
    }

    /// The bytes of part `number`, from 1.
    pub(crate) fn range(self, number: u32) -> Range<u64> {
        let start = u64::from(number - 1) * self.part;
        start..(start + self.part).min(self.size)
    }
}

/// The size of a part where nothing asks for a larger one.
const PREFERRED_PART: u64 = 16 << 20;
/// Part sizes are multiples of this.
const STEP: u64 = 1 << 20;

/// Plans an object of that size within the destination's limits and the memory budget.
///
/// A body is held whole while it is sent. Single writes are at most half the budget, so that the other half lets the next be
/// read meanwhile; a part may take all of it, and up to `largest_part`, where the destination's limits ask for parts of that
/// size.
///
/// # Errors
/// `TooLarge` before a byte moves, naming the limit and what to do.
pub(crate) fn plan(size: u64, destination: &Capabilities, options: &Options) -> Result<Plan> {
    let limits = &destination.limits;
    let Options { part_threshold: threshold, memory, .. } = *options;
    let largest = options.largest_part.max(memory);
    let too_large = |message: String| Error::new(ErrorKind::TooLarge, message);
    if size > limits.object_max {
        return Err(too_large(format!(
            "the object has {size} bytes, the destination holds at most {}",
            limits.object_max
        )));
    }
    let at_once = limits.single_max.min((memory / 2).max(1));
    if !destination.uploads && size > at_once {
        let error = too_large(format!(
            "the destination takes no uploads in parts, so all {size} bytes of the object have to be in memory at once"
        ));
        let fits = size <= limits.single_max;
        return Err(if fits {
            error.help(format!("give --memory {}MiB or more", (2 * size).div_ceil(STEP)))
        } else {
            error
        });
    }
    if !destination.uploads || size <= threshold.min(at_once) {
        return Ok(Plan::Single);
    }
    let preferred = PREFERRED_PART.min((memory / 8).max(STEP));
    let needed = size.div_ceil(u64::from(limits.parts_max.max(1)));
    let part = preferred.max(needed).max(limits.part_min).next_multiple_of(STEP);
    if part > limits.part_max {
        return Err(too_large(format!(
            "the object has {size} bytes and would need parts of {part}, the destination takes at most {} bytes a part",
            limits.part_max
        )));
    }
    if part > largest {
        return Err(too_large(format!(
            "the object has {size} bytes and needs parts of {part}, more than may be held in memory: {largest}"
        ))
        .help(format!("give --memory {}MiB or more", part.div_ceil(STEP))));
    }
    Ok(Plan::Parts(Cut { size, part }))
}

#[cfg(test)]
mod tests {
    use cabotage_core::Limits;

    use super::*;

    const MIB: u64 = 1 << 20;
    const GIB: u64 = 1 << 30;

    fn s3(parts_max: u32) -> Capabilities {
        let limits = Limits {
            single_max: 5 * GIB,
            part_min: 5 * MIB,
            part_max: 5 * GIB,
            parts_max,
            object_max: 5 << 40,
        };
        Capabilities { limits, uploads: true, ..Capabilities::default() }
    }

    fn options(memory: u64) -> Options {
        Options { memory, largest_part: memory, part_threshold: 64 * MIB, ..Options::new("/s".into()) }
    }

    fn planned(size: u64, parts_max: u32, memory: u64) -> Result<Plan> {
        plan(size, &s3(parts_max), &options(memory))
    }

    #[test]
    fn small_objects_go_whole() {
        assert_eq!(planned(0, 10_000, 256 * MIB).unwrap(), Plan::Single);
        assert_eq!(planned(64 * MIB, 10_000, 256 * MIB).unwrap(), Plan::Single);
        assert!(matches!(planned(64 * MIB + 1, 10_000, 256 * MIB).unwrap(), Plan::Parts(_)));
        assert!(
            matches!(planned(40 * MIB, 10_000, 64 * MIB).unwrap(), Plan::Parts(_)),
            "more than half the budget"
        );
    }

    #[test]
    fn a_destination_without_uploads_takes_what_memory_holds() {
        let destination = Capabilities { uploads: false, ..s3(10_000) };
        let planned = |size| plan(size, &destination, &options(256 * MIB));
        assert_eq!(planned(65 * MIB).unwrap(), Plan::Single);
        assert_eq!(planned(128 * MIB).unwrap(), Plan::Single);
        let error = planned(128 * MIB + 1).unwrap_err().to_string();
        assert!(error.contains("--memory 257MiB"), "{error}");
        let error = planned(5 * GIB + 1).unwrap_err().to_string();
        assert!(!error.contains("--memory"), "{error}");
    }

    #[test]
    fn parts_cover_the_object_exactly_and_stay_within_limits() {
        for size in [65 * MIB, 300 * MIB, 300 * MIB + 1, 16 * MIB * 1000, 100 * GIB, 4 << 40] {
            for parts_max in [1_000, 10_000] {
                let Ok(Plan::Parts(cut)) = planned(size, parts_max, 16 * GIB) else { panic!("{size}") };
                assert!(cut.count() <= parts_max && cut.part >= 5 * MIB);
                let mut next = 0;
                for number in 1..=cut.count() {
                    let range = cut.range(number);
                    assert_eq!(range.start, next);
                    assert!(range.end > range.start);
                    next = range.end;
                }
                assert_eq!(next, size);
            }
        }
    }

    #[test]
    fn the_largest_object_of_s3_goes_in_parts_of_a_budget() {
        let Ok(Plan::Parts(cut)) = planned(5 << 40, 10_000, 600 * MIB) else { panic!("5 TiB") };
        assert_eq!((cut.part, cut.count()), (525 * MIB, 9_987));
        assert_eq!(cut.range(cut.count()).end, 5 << 40);
        let Ok(Plan::Parts(cut)) = planned(64 * GIB, 1_000, 128 * MIB) else { panic!("1,000 parts") };
        assert_eq!((cut.part, cut.count()), (66 * MIB, 993));
    }

    #[test]
    fn a_part_that_must_be_larger_than_the_budget_goes_up_to_the_largest() {
        let options = Options { largest_part: 256 * MIB, ..options(64 * MIB) };
        let Ok(Plan::Parts(cut)) = plan(2 << 40, &s3(10_000), &options) else { panic!("2 TiB") };
        assert_eq!((cut.part, cut.count()), (210 * MIB, 9_987));
        let Ok(Plan::Parts(cut)) = plan(GIB, &s3(10_000), &options) else { panic!("1 GiB") };
        assert_eq!(cut.part, 8 * MIB, "nothing asks for more");
        let error = plan(5 << 40, &s3(10_000), &options).unwrap_err();
        assert!(error.to_string().contains("--memory 525MiB"), "{error}");
    }

    #[test]
    fn parts_over_the_destinations_largest_are_refused() {
        let limits = Limits { part_max: 100 * MIB, ..s3(1_000).limits };
        let destination = Capabilities { limits, ..s3(1_000) };
        let error = plan(200 * GIB, &destination, &options(16 * GIB)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains("at most 104857600 bytes a part"), "{error}");
    }

    #[test]
    fn what_cannot_go_is_refused_with_the_flag_that_helps() {
        let error = planned(5 << 40, 10_000, 256 * MIB).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
        assert!(error.to_string().contains("--memory 525MiB"), "{error}");
        assert!(planned(5 << 40, 10_000, 525 * MIB).is_ok(), "with that it goes");
        assert_eq!(planned((5 << 40) + 1, 10_000, 16 * GIB).unwrap_err().kind(), ErrorKind::TooLarge);
    }
}
