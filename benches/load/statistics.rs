//! Of several runs, the one figure that counts.

/// The median; of none, nothing.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> Option<f64> {
    let mut figures: Vec<f64> = figures.into_iter().collect();
    figures.sort_by(f64::total_cmp);
    let middle = figures.len() / 2;
    let upper = *figures.get(middle)?;
    let is_even = figures.len().is_multiple_of(2);
    Some(if is_even { f64::midpoint(figures[middle - 1], upper) } else { upper })
}

/// A count as a number that can be divided.
#[expect(clippy::cast_precision_loss, reason = "less than 2^53 of anything")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}
