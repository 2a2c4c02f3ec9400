//! Signatures side by side, a bit of each in one row: the texts that may contain a needle are the columns that
//! have a bit in each of its rows, and 64 of them are found by one AND.

use super::grams::{BITS, Signature};

/// How many rows are read before looking whether any column is left: they are fetched at the same time.
const ROWS_AT_ONCE: usize = 4;

/// A column for each signature, a row for each of their bits.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Matrix {
    columns: usize,
    /// By row, a bit for each column.
    words: Box<[u64]>,
}

impl Matrix {
    pub(super) fn new(signatures: &[Signature]) -> Self {
        let width = signatures.len().div_ceil(64);
        let mut words = vec![0; BITS * width].into_boxed_slice();
        for (at, signatures) in signatures.chunks(64).enumerate() {
            for part in 0..BITS / 64 {
                let mut square = [0; 64];
                square.iter_mut().zip(signatures).for_each(|(row, signature)| *row = signature.0[part]);
                transpose(&mut square);
                for (row, word) in square.into_iter().enumerate() {
                    words[(64 * part + row) * width + at] = word;
                }
            }
        }
        Self { columns: signatures.len(), words }
    }

    /// The signatures that it was made of.
    pub(super) fn signatures(&self) -> Vec<Signature> {
        let width = self.width();
        let mut signatures = vec![Signature::default(); self.columns];
        for (at, signatures) in signatures.chunks_mut(64).enumerate() {
            for part in 0..BITS / 64 {
                let mut square = std::array::from_fn(|row| self.words[(64 * part + row) * width + at]);
                transpose(&mut square);
                signatures.iter_mut().zip(square).for_each(|(signature, word)| signature.0[part] = word);
            }
        }
        signatures
    }

    /// The first column at or after `from` that has a bit in each of these rows.
    pub(super) fn next(&self, rows: &[usize], from: usize) -> Option<usize> {
        let mut unseen = u64::MAX << (from % 64);
        for word in from / 64..self.width() {
            let found = self.and(rows, word) & unseen;
            if found != 0 {
                return Some(64 * word + found.trailing_zeros() as usize);
            }
            unseen = u64::MAX;
        }
        None
    }

    /// Whether a column has a bit in each of these rows.
    pub(super) fn has(&self, rows: &[usize], column: usize) -> bool {
        let width = self.width();
        rows.iter().all(|row| self.words[row * width + column / 64] >> (column % 64) & 1 == 1)
    }

    fn and(&self, rows: &[usize], word: usize) -> u64 {
        let width = self.width();
        let beyond = (64 * (word + 1)).saturating_sub(self.columns);
        let mut found = u64::MAX >> beyond;
        for rows in rows.chunks(ROWS_AT_ONCE) {
            found = rows.iter().fold(found, |found, row| found & self.words[row * width + word]);
            if found == 0 {
                break;
            }
        }
        found
    }

    fn width(&self) -> usize {
        self.columns.div_ceil(64)
    }
}

/// Makes rows of columns: bit `j` of row `i` becomes bit `i` of row `j` (Hacker's Delight, 7-3).
fn transpose(square: &mut [u64; 64]) {
    let mut half = 32;
    let mut mask = u64::MAX >> 32;
    while half != 0 {
        let mut row = 0;
        while row < 64 {
            let swapped = (square[row] >> half ^ square[row + half]) & mask;
            square[row + half] ^= swapped;
            square[row] ^= swapped << half;
            row = (row + half + 1) & !half;
        }
        half /= 2;
        mask ^= mask << half;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Signatures with each bit set with a probability of one in `one_in`.
    fn signatures(count: usize, one_in: usize, seed: u64) -> Vec<Signature> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut word = || (0..64).fold(0, |word, _| word << 1 | u64::from(random.usize(..one_in) == 0));
        (0..count).map(|_| Signature(std::array::from_fn(|_| word()))).collect()
    }

    #[test]
    fn what_was_put_in_comes_out() {
        for count in [0, 1, 63, 64, 65, 300] {
            let signatures = signatures(count, 3, count as u64);
            assert_eq!(Matrix::new(&signatures).signatures(), signatures);
        }
    }

    #[test]
    fn a_column_is_found_that_has_all_bits_and_no_other() {
        let mut random = fastrand::Rng::with_seed(9);
        for count in [1, 64, 70, 200] {
            let signatures = signatures(count, 2, 10 + count as u64);
            let matrix = Matrix::new(&signatures);
            for rows in 0..8 {
                let rows: Vec<usize> = (0..rows).map(|_| random.usize(..BITS)).collect();
                let has =
                    |column: &usize| rows.iter().all(|row| signatures[*column].0[row / 64] >> (row % 64) & 1 == 1);
                let expected: Vec<usize> = (0..count).filter(has).collect();
                let next = |last: &usize| matrix.next(&rows, last + 1);
                let found: Vec<usize> = std::iter::successors(matrix.next(&rows, 0), next).collect();
                assert_eq!(found, expected);
                assert!((0..count).all(|column| matrix.has(&rows, column) == expected.contains(&column)));
            }
        }
    }
}
