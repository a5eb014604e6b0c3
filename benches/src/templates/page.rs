//! What is on the page.

use serde::Serialize;

pub(super) const ROWS: u32 = 200;

/// A row of the table, as a program has it.
#[derive(Clone, Serialize)]
pub(super) struct Row {
    id: u32,
    name: String,
    price: f64,
    stock: u32,
    tags: Vec<String>,
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
