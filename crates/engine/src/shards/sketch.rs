//! Where the weight of a listing lies, in bounded memory.

/// What an object weighs beside its bytes: so many bytes move in the time that one more request takes.
pub(super) const OBJECT: u64 = 128 << 10;
/// Cells for each shard that is wanted, at least.
const CELLS_PER_SHARD: usize = 128;
const CELLS_MIN: usize = 4_096;

/// Names that follow each other, by the last of them.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    pub last: String,
    pub objects: u64,
    pub bytes: u64,
}

impl Cell {
    pub(super) fn weight(&self) -> u128 {
        u128::from(self.bytes) + u128::from(self.objects) * u128::from(OBJECT)
    }

    fn take(&mut self, next: Self) {
        self.last = next.last;
        self.objects += next.objects;
        self.bytes = self.bytes.saturating_add(next.bytes);
    }
}

/// Cells of names in order. One of several objects weighs at most four parts in so many as there may be cells.
pub(super) struct Sketch {
    cells: Vec<Cell>,
    most: usize,
    /// A cell of several objects weighs no more.
    width: u128,
    total: u128,
}

impl Sketch {
    pub(super) fn for_shards(shards: u32) -> Self {
        let most = (shards as usize).saturating_mul(CELLS_PER_SHARD).max(CELLS_MIN);
        Self { cells: Vec::new(), most, width: 0, total: 0 }
    }

    /// Takes the next object, by the bytes of its name.
    pub(super) fn add(&mut self, name: &str, bytes: u64) {
        let cell = Cell { last: name.to_owned(), objects: 1, bytes };
        self.total += cell.weight();
        self.put(cell);
        if self.cells.len() > self.most {
            self.width = 4 * self.total / self.most as u128;
            let cells = std::mem::take(&mut self.cells);
            cells.into_iter().for_each(|cell| self.put(cell));
        }
    }

    fn put(&mut self, cell: Cell) {
        match self.cells.last_mut() {
            Some(last) if last.weight() + cell.weight() <= self.width => last.take(cell),
            _ => self.cells.push(cell),
        }
    }

    #[cfg(test)]
    pub(super) fn cells(&self) -> &[Cell] {
        &self.cells
    }

    /// The cells in so many groups that follow each other, each as near to its share of what is left as cells allow. With
    /// fewer cells than groups some are empty: the last ones.
    pub(super) fn groups(&self, groups: u32) -> Vec<&[Cell]> {
        let (mut rest, mut left) = (self.cells.as_slice(), self.total);
        (0..groups)
            .map(|done| {
                let share = left / u128::from(groups - done);
                let (group, behind) = rest.split_at(first_of(rest, share));
                left -= group.iter().map(Cell::weight).sum::<u128>();
                rest = behind;
                group
            })
            .collect()
    }
}

/// How many of the first cells come nearest to that weight: at least one.
fn first_of(cells: &[Cell], share: u128) -> usize {
    let mut weight = 0;
    for (count, cell) in cells.iter().enumerate() {
        let with = weight + cell.weight();
        if count > 0 && with > share && with - share > share.saturating_sub(weight) {
            return count;
        }
        weight = with;
    }
    cells.len()
}
