//! What a host's metrics tell.

use std::collections::BTreeMap;

use dogpile::Host;

/// The samples of a host, by their names with their labels as they are written.
pub(crate) struct Scrape(BTreeMap<String, f64>);

impl Scrape {
    pub(crate) fn of(host: &Host) -> Self {
        let text = host.metrics_text();
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let samples = samples.map(|line| {
            let (sample, number) = line.rsplit_once(' ').expect("a sample has a number");
            (sample.to_owned(), number.parse().expect("it is a number"))
        });
        let count = samples.clone().count();
        let scrape = Self(samples.collect());
        assert_eq!(scrape.0.len(), count, "each sample is there once:\n{text}");
        scrape
    }

    pub(crate) fn get(&self, sample: &str) -> Option<f64> {
        self.0.get(sample).copied()
    }

    /// A sample that is a whole number.
    #[track_caller]
    pub(crate) fn count(&self, sample: &str) -> u64 {
        let number = self.get(sample);
        let number = number.unwrap_or_else(|| panic!("no {sample} in {:#?}", self.0));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is checked"
        )]
        let whole = number as u64;
        #[expect(clippy::cast_precision_loss, clippy::float_cmp, reason = "it is small")]
        let is_whole = whole as f64 == number;
        assert!(is_whole, "{sample} is {number}");
        whole
    }

    /// The names of samples with a part in them.
    pub(crate) fn with(&self, part: &str) -> Vec<&str> {
        let names = self.0.keys().map(String::as_str);
        names.filter(|name| name.contains(part)).collect()
    }

    /// Those that only count up.
    pub(crate) fn counters(&self) -> impl Iterator<Item = (&str, f64)> {
        let samples = self.0.iter().map(|(name, number)| (&**name, *number));
        samples.filter(|(name, _)| {
            let family = name.split('{').next().unwrap_or_default();
            ["_total", "_bucket", "_sum", "_count"]
                .iter()
                .any(|end| family.ends_with(end))
        })
    }
}
