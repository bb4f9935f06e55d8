//! Pairs of what is seen and who is known.

/// Which row (what is seen) goes with which slot (who is known).
#[derive(Clone, Debug, Default)]
pub(super) struct Pairing {
    /// How far apart, row, slot.
    pairs: Vec<(f32, usize, usize)>,
    /// Which rows have their slot, or are to have none.
    pub is_row_taken: Vec<bool>,
    /// Which slots have their row.
    pub is_slot_taken: Vec<bool>,
}

impl Pairing {
    pub(super) fn begin(&mut self, rows: usize, slots: usize) {
        // Room for every pair at once, so that a crowd that moves together later needs no more.
        self.pairs.clear();
        self.pairs.reserve(rows * slots);
        for (is_taken, count) in [(&mut self.is_row_taken, rows), (&mut self.is_slot_taken, slots)] {
            is_taken.clear();
            is_taken.resize(count, false);
        }
    }

    /// `row` may be `slot`; the smaller `apart`, the better.
    pub(super) fn add(&mut self, apart: f32, row: usize, slot: usize) {
        self.pairs.push((apart, row, slot));
    }

    /// Calls `pair(row, slot)` for the best pairs that leave each row and each slot at most one.
    pub(super) fn match_greedily(&mut self, mut pair: impl FnMut(usize, usize)) {
        self.pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then((a.1, a.2).cmp(&(b.1, b.2))));
        for &(_, row, slot) in &self.pairs {
            if !self.is_row_taken[row] && !self.is_slot_taken[slot] {
                (self.is_row_taken[row], self.is_slot_taken[slot]) = (true, true);
                pair(row, slot);
            }
        }
    }
}
