//! What is on the page.

use serde::Serialize;

pub(super) const ROWS: u32 = 200;

/// The templates, which are the same for all engines: the page is `rows.html`.
pub(super) const FILES: [(&str, &str); 3] = [
    ("base.html", include_str!("../../templates/base.html")),
    ("menu.html", include_str!("../../templates/menu.html")),
    ("rows.html", include_str!("../../templates/rows.html")),
];

/// A row of the table, as a program has it.
#[derive(Clone, Serialize)]
pub(super) struct Row {
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) price: f64,
    pub(super) stock: u32,
    pub(super) tags: Vec<String>,
}

pub(super) const TITLE: &str = "Orders & offers";

pub(super) fn rows() -> Vec<Row> {
    let row = |id| Row {
        id,
        name: format!("Tea & cups, number {id}"),
        price: f64::from(id) * 1.25,
        stock: id % 11,
        tags: vec!["new".to_owned(), "red".to_owned()],
    };
    (0..ROWS).map(row).collect()
}
