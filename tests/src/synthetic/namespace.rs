//! Everything about each object, from its number.

use bytes::Bytes;
use cabotage_core::{Attributes, ContentHeaders, ETag, Key, Metadata, ObjectInfo, Result, Tags, Timestamp};

use super::Shape;

/// A namespace of one shape. Equal ones are the same to the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Namespace {
    shape: Shape,
    objects: u64,
    seed: u64,
}

/// Sizes are below this, in bytes.
const SIZE_MAX: u64 = 64;

impl Namespace {
    /// So many objects; of hostile ones up to 255 more.
    #[must_use]
    pub fn new(shape: Shape, objects: u64, seed: u64) -> Self {
        Self { shape, objects: shape.rounded(objects), seed }
    }

    /// Its shape.
    #[must_use]
    pub fn shape(&self) -> Shape {
        self.shape
    }

    /// How many objects.
    #[must_use]
    pub fn objects(&self) -> u64 {
        self.objects
    }

    /// The name of an object, from 0 on; names of greater numbers are greater by their bytes.
    #[must_use]
    pub fn name(&self, i: u64) -> String {
        self.shape.object_name(i, self.objects)
    }

    /// How many objects have names below that, or equal to it.
    #[must_use]
    pub fn up_to(&self, name: &str) -> u64 {
        let (mut low, mut high) = (0, self.objects);
        while low < high {
            let middle = low.midpoint(high);
            if self.name(middle).as_str() <= name {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The object of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<u64> {
        let i = self.up_to(name).checked_sub(1)?;
        (self.name(i) == name).then_some(i)
    }

    /// The numbers in the order of the names' UTF-16 code units.
    #[must_use]
    pub fn in_utf16_order(&self) -> Box<dyn Iterator<Item = u64> + Send> {
        self.shape.in_utf16_order(self.objects)
    }

    /// Length of its content.
    #[must_use]
    pub fn size(&self, i: u64) -> u64 {
        self.noise(i, 1) % SIZE_MAX
    }

    /// Its content.
    #[must_use]
    pub fn content(&self, i: u64) -> Bytes {
        let words = (2..2 + SIZE_MAX / 8).flat_map(|salt| self.noise(i, salt).to_le_bytes());
        words.take(self.size(i) as usize).collect()
    }

    /// What it carries.
    #[must_use]
    pub fn attributes(&self, i: u64) -> Attributes {
        let headers =
            ContentHeaders { content_type: Some("application/dicom".into()), ..ContentHeaders::default() };
        let metadata = Metadata::from([("study".into(), format!("{}", i / 100))]);
        Attributes { headers, metadata, tags: Some(Tags::new()) }
    }

    /// The object as the source has it.
    ///
    /// # Errors
    /// None, unless a shape makes an empty name.
    pub fn at_source(&self, i: u64) -> Result<ObjectInfo> {
        self.info(i, 100, 1_700_000_000)
    }

    /// The object as the destination has it.
    ///
    /// # Errors
    /// As [`at_source`](Self::at_source).
    pub fn at_destination(&self, i: u64) -> Result<ObjectInfo> {
        self.info(i, 200, 1_750_000_000)
    }

    fn info(&self, i: u64, salt: u64, second: i64) -> Result<ObjectInfo> {
        let mut info = ObjectInfo::new(Key::new(self.name(i))?, self.size(i));
        info.etag = Some(ETag::new(&format!("{:016x}{:016x}", self.noise(i, salt), self.noise(i, salt + 1))));
        info.modified = Timestamp::from_second(second + (i % 1_000_000) as i64).ok();
        Ok(info)
    }

    /// SplitMix64 of the seed, the number and a salt.
    fn noise(&self, i: u64, salt: u64) -> u64 {
        let mut z =
            self.seed ^ i.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ salt.wrapping_mul(0xD1B5_4A32_D192_ED03);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_order_and_found_again() {
        for shape in Shape::ALL {
            let namespace = Namespace::new(shape, 5_000, 7);
            for i in 0..namespace.objects() {
                let name = namespace.name(i);
                assert!(i == 0 || namespace.name(i - 1) < name, "{shape:?} {i}: {name:?}");
                assert!(name.len() <= 1024, "{name:?}");
                assert_eq!(namespace.find(&name), Some(i));
                assert_eq!(namespace.find(&format!("{name}\u{1}")), None);
                assert_eq!(namespace.content(i).len() as u64, namespace.size(i));
            }
        }
    }

    #[test]
    fn the_other_order_is_that_of_code_units() {
        let namespace = Namespace::new(Shape::Hostile, 5_000, 7);
        let names: Vec<_> = namespace.in_utf16_order().map(|i| namespace.name(i)).collect();
        assert!(names.is_sorted_by(|a, b| a.encode_utf16().lt(b.encode_utf16())));
        assert!(!names.is_sorted(), "the orders are the same: nothing has to be held back");
        assert_eq!(names.len() as u64, namespace.objects());
    }
}
