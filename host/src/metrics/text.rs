//! The metrics as Prometheus reads them.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet, prometheus_text};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::families;
use super::family::{Family, Kind, Number, Samples};
use super::view::View;
use crate::inner::Inner;

/// All that a host counts.
pub(crate) fn text(inner: &Arc<Inner>) -> String {
    let view = View::new(inner);
    let all = families().map(|family| {
        let mut samples = Samples::default();
        (family.read)(&view, &mut samples);
        (family, samples)
    });
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Read(all.collect())));
    let mut text = String::new();
    // Writing to a string does not fail, and nothing else can.
    let _written = prometheus_text::encode(&mut text, &registry);
    text
}

/// What was read.
struct Read(Vec<(&'static Family, Samples)>);

impl fmt::Debug for Read {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(family, _)| family.name);
        f.debug_list().entries(names).finish()
    }
}

impl Collector for Read {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for (family, Samples(samples)) in &self.0 {
            if samples.is_empty() {
                continue;
            }
            let (name, kind) = match family.kind {
                // The crate adds it again.
                Kind::Counter => (family.name.trim_end_matches("_total"), MetricType::Counter),
                Kind::Gauge => (family.name, MetricType::Gauge),
                Kind::Histogram => (family.name, MetricType::Histogram),
            };
            let mut encoder = encoder.encode_descriptor(name, family.help, None, kind)?;
            for (values, number) in samples {
                let values = values.iter().map(String::as_str);
                let labels: Vec<(&str, &str)> = family.labels.iter().copied().zip(values).collect();
                number.encode(family.kind, encoder.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

impl Number {
    fn encode(&self, kind: Kind, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        match (self, kind) {
            (Self::Whole(number), Kind::Counter) => {
                encoder.encode_counter::<NoLabelSet, _, u64>(number, None)
            }
            (Self::Real(number), Kind::Counter) => {
                encoder.encode_counter::<NoLabelSet, _, f64>(number, None)
            }
            (Self::Whole(number), _) => encoder.encode_gauge(number),
            (Self::Real(number), _) => encoder.encode_gauge(number),
            (Self::Histogram(read), _) => {
                encoder.encode_histogram::<NoLabelSet>(read.sum, read.count, &read.buckets, None)
            }
        }
    }
}
