use serde_json::{Map, Number, Value};
use toml::de::DeValue;

use super::read::{Item, Reader, Table, elements};

impl Reader<'_, '_> {
    /// A table as JSON, interpolated.
    pub(super) fn json_table(
        &mut self,
        item: &Item<'_>,
        remedy: &str,
    ) -> Option<Map<String, Value>> {
        let table = self.table(item, remedy)?;
        Some(self.json_rest(&table))
    }

    /// What was not taken from a table, as JSON. What cannot be converted is left out, and noted.
    pub(super) fn json_rest(&mut self, table: &Table<'_>) -> Map<String, Value> {
        let mut map = Map::new();
        for item in table.rest() {
            if let Some(value) = self.json(&item) {
                map.insert(item.key, value);
            }
        }
        map
    }

    fn json(&mut self, item: &Item<'_>) -> Option<Value> {
        match item.value.get_ref() {
            DeValue::String(text) => self
                .expand(&item.path, item.span(), text)
                .map(|text| text.value.into()),
            DeValue::Integer(integer) => {
                let value = i64::from_str_radix(integer.as_str(), integer.radix()).ok();
                if value.is_none() {
                    self.error(
                        item.span(),
                        format!("`{}` is out of range", item.key),
                        "an integer has 64 bits",
                    );
                }
                value.map(Value::from)
            }
            DeValue::Float(float) => {
                let number = float.as_str().parse().ok().and_then(Number::from_f64);
                if number.is_none() {
                    self.error(
                        item.span(),
                        format!("`{}` must be a finite number", item.key),
                        "arguments are handed over as JSON, which has no nan and no inf",
                    );
                }
                number.map(Value::Number)
            }
            DeValue::Boolean(value) => Some((*value).into()),
            DeValue::Datetime(datetime) => Some(datetime.to_string().into()),
            DeValue::Array(items) => {
                let values: Vec<_> = elements(item, items).iter().map(|i| self.json(i)).collect();
                values
                    .into_iter()
                    .collect::<Option<Vec<_>>>()
                    .map(Value::Array)
            }
            DeValue::Table(table) => {
                let table = Table::new(table, item.path.clone(), item.span());
                Some(Value::Object(self.json_rest(&table)))
            }
        }
    }
}
