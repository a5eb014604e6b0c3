use redb::TableDefinition;

/// Key to [`Record`](crate::record::Record).
pub(super) const VALUES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("dogpile.values");

/// The order of entries by end and by age, and the totals: one tree, so that a write changes few pages.
pub(super) const INDEX: TableDefinition<'_, (u8, u64, u64), &[u8]> =
    TableDefinition::new("dogpile.index");
