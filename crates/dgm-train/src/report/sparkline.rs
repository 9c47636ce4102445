//! A curve in one line of text.

/// Heights of a cell.
const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// The values from left to right in at most so many cells, the lowest as ▁ and the highest as █; of more values a cell has the mean of its share. What is
/// not finite is left out.
///
/// The first values of a loss are often far above all others: what is above three times the range of the last half counts as that.
pub fn sparkline(values: &[f64], cells: usize) -> String {
    let values: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    let cells = cells.min(values.len());
    if cells == 0 {
        return String::new();
    }
    let share = |cell: usize| {
        let (from, to) = (cell * values.len() / cells, (cell + 1) * values.len() / cells);
        let part = values.get(from..to).unwrap_or_default();
        part.iter().sum::<f64>() / part.len().max(1) as f64
    };
    let means: Vec<f64> = (0..cells).map(share).collect();
    let range = |of: &[f64]| of.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &x| (a.min(x), b.max(x)));
    let (low, top) = range(&means);
    let (late_low, late_high) = range(means.get(cells / 2..).unwrap_or_default());
    let high = match late_high > late_low {
        true => top.min(low.max(late_high + 3.0 * (late_high - late_low))),
        false => top,
    };
    let height = |value: f64| match high > low {
        true => (((value.min(high) - low) / (high - low)) * 7.0).round() as usize,
        false => 0,
    };
    means.iter().filter_map(|&value| BLOCKS.get(height(value))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_from_the_lowest_to_the_highest() {
        assert_eq!(sparkline(&[0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0], 8), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&[7.0, 7.0], 8), "▁▁");
        assert_eq!(sparkline(&[], 8), "");
        assert_eq!(sparkline(&[f64::NAN, 1.0, f64::INFINITY, 2.0], 8), "▁█");
        // Means of pairs.
        assert_eq!(sparkline(&[3.0, 5.0, 1.0, 1.0], 2), "█▁");
        // One outlier does not flatten the rest.
        assert_eq!(sparkline(&[1e6, 3.0, 2.0, 1.0], 4), "█▅▃▁");
    }
}
