//! Text in columns.

/// Rows under a head, each column as wide as its widest cell. Numbers stand to the right.
pub(crate) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let numeric: [bool; N] =
        std::array::from_fn(|column| rows.iter().all(|row| row[column].parse::<u64>().is_ok()));
    let mut text = String::new();
    let head = head.map(str::to_owned);
    for row in [&head].into_iter().chain(rows) {
        let cells = row
            .iter()
            .zip(widths)
            .zip(numeric)
            .map(|((cell, width), right)| {
                // The width of a formatted text cannot be as much as a cell's.
                let blanks = " ".repeat(width - cell.chars().count());
                if right {
                    blanks + cell
                } else {
                    cell.to_owned() + &blanks
                }
            });
        let line = cells.collect::<Vec<_>>().join("  ");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_lines_have_no_blanks_at_their_end() {
        let rows = [["a", "1", "x"], ["longer", "200", ""]].map(|row| row.map(str::to_owned));
        assert_eq!(
            table(["NAME", "HITS", "S"], &rows),
            "NAME    HITS  S\na          1  x\nlonger   200\n"
        );
    }

    #[test]
    fn cells_of_any_length_are_shown() {
        let long = "x".repeat(100_000);
        let rows = [[long.clone(), "b".to_owned()]];
        let head = format!("A{}  B", " ".repeat(99_999));
        assert_eq!(table(["A", "B"], &rows), format!("{head}\n{long}  b\n"));
    }
}
