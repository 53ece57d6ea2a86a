//! Order statistics by the nearest rank, the same for everything that is measured.

/// The least of `sorted` that at least `percent` of 100 of them do not exceed; the default of none.
pub(super) fn percentile<T: Copy + Default>(sorted: &[T], percent: usize) -> T {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::percentile;

    #[test]
    fn percentile_is_of_the_nearest_rank() {
        let hundreds: Vec<u32> = (1..=200).collect();
        assert_eq!([50, 99, 100].map(|part| percentile(&hundreds, part)), [100, 198, 200]);
        assert_eq!([50, 99, 100].map(|part| percentile(&[7, 9], part)), [7, 9, 9]);
        assert_eq!(percentile(&[7], 50), 7);
        assert_eq!(percentile::<u32>(&[], 50), 0);
    }
}
