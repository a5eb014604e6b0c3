//! Tables and medians.

use crate::rounds::Took;

/// The median of numbers, of which there is at least one, and the tenth of them below and above.
#[derive(Clone, Copy)]
pub(crate) struct Spread {
    pub(crate) low: f64,
    pub(crate) median: f64,
    pub(crate) high: f64,
}

impl Spread {
    pub(crate) fn of(numbers: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = numbers.into_iter().collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let last = sorted.len() - 1;
        Self {
            low: sorted[last / 10],
            median: sorted[last / 2],
            high: sorted[last - last / 10],
        }
    }
}

/// How many times as long `peer` took as `ours`, round by round.
pub(crate) fn ratio(peer: &[Took], ours: &[Took], of: fn(&Took) -> f64) -> Spread {
    Spread::of(
        peer.iter()
            .zip(ours)
            .map(|(peer, ours)| of(peer) / of(ours)),
    )
}

/// Lines of cells, each column as wide as its widest cell, numbers to the right.
pub(crate) struct Table(Vec<Vec<String>>);

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        let mut table = Self(Vec::new());
        table.row(head.iter().map(|cell| (*cell).to_owned()));
        table.row(head.iter().map(|_| "---".to_owned()));
        table
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.0.push(cells.into_iter().collect());
    }

    /// As Markdown.
    pub(crate) fn print(&self) {
        let columns = self.0.first().map_or(0, Vec::len);
        let width = |column: usize| self.0.iter().map(|row| row[column].chars().count()).max();
        let widths: Vec<usize> = (0..columns).filter_map(width).collect();
        for (line, row) in self.0.iter().enumerate() {
            let cells = row
                .iter()
                .zip(&widths)
                .enumerate()
                .map(|(column, (cell, width))| match (line, column) {
                    (1, 0) => "-".repeat(*width),
                    (1, _) => "-".repeat(width - 1) + ":",
                    (_, 0) => format!("{cell:<width$}"),
                    _ => format!("{cell:>width$}"),
                });
            println!("| {} |", cells.collect::<Vec<_>>().join(" | "));
        }
        println!();
    }
}
