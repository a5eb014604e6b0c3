/// Whether two keys are the same text. For the usual lengths inline, as a call costs more than what it does for a key.
#[inline]
pub(crate) fn is_same(one: &str, other: &str) -> bool {
    const WIDE: usize = size_of::<u128>();
    let (one, other) = (one.as_bytes(), other.as_bytes());
    if one.len() != other.len() {
        return false;
    }
    if !(WIDE..=2 * WIDE).contains(&one.len()) {
        return one == other;
    }
    // Two reads, which overlap where the length is less than two widths.
    one.first_chunk::<WIDE>() == other.first_chunk()
        && one.last_chunk::<WIDE>() == other.last_chunk()
}

#[cfg(test)]
mod tests {
    use super::is_same;

    #[test]
    fn texts_of_every_length_are_compared_to_the_last_byte() {
        for length in 0..70 {
            let text = "k".repeat(length);
            assert!(is_same(&text, &text.clone()));
            assert!(!is_same(&text, &format!("{text}k")));
            for at in 0..length {
                let mut other = text.clone();
                other.replace_range(at..=at, "x");
                assert!(!is_same(&text, &other), "{length} {at}");
            }
        }
    }
}
