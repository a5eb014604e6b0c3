//! The metrics as OpenTelemetry observes them.

use std::sync::{Arc, Weak};

use opentelemetry::KeyValue;
use opentelemetry::metrics::{AsyncInstrument, Meter};

use super::families;
use super::family::{Family, Kind, Number, Samples};
use super::view::View;
use crate::inner::Inner;

/// Has a meter observe all that a host counts, for as long as the host is there.
pub(crate) fn observe(inner: &Arc<Inner>, meter: &Meter) {
    for family in families() {
        match family.kind {
            Kind::Histogram => {
                let host = Arc::downgrade(inner);
                let counter = meter
                    .f64_observable_counter(format!("{}.sum", family.dotted_name()))
                    .with_unit("s")
                    .with_description(family.help);
                let sum = |number: &Number| match number {
                    Number::Histogram(read) => Some(read.sum),
                    _ => None,
                };
                counter
                    .with_callback(move |to| observed(&host, family, to, sum))
                    .build();
                let host = Arc::downgrade(inner);
                let counter = meter
                    .u64_observable_counter(format!("{}.count", family.dotted_name()))
                    .with_description(family.help);
                let count = |number: &Number| match number {
                    Number::Histogram(read) => Some(read.count),
                    _ => None,
                };
                counter
                    .with_callback(move |to| observed(&host, family, to, count))
                    .build();
            }
            Kind::Counter => {
                let host = Arc::downgrade(inner);
                let counter = meter
                    .u64_observable_counter(family.dotted_name())
                    .with_unit(family.unit())
                    .with_description(family.help);
                let whole = |number: &Number| match number {
                    Number::Whole(number) => Some(*number),
                    _ => None,
                };
                counter
                    .with_callback(move |to| observed(&host, family, to, whole))
                    .build();
            }
            Kind::Gauge => {
                let host = Arc::downgrade(inner);
                let gauge = meter
                    .f64_observable_gauge(family.dotted_name())
                    .with_unit(family.unit())
                    .with_description(family.help);
                #[expect(clippy::cast_precision_loss, reason = "gauges are small")]
                let real = |number: &Number| match number {
                    Number::Whole(number) => Some(*number as f64),
                    Number::Real(number) => Some(*number),
                    Number::Histogram(_) => None,
                };
                gauge
                    .with_callback(move |to| observed(&host, family, to, real))
                    .build();
            }
        }
    }
}

/// Tells what a metric is at the moment; nothing once the host is gone.
fn observed<T>(
    host: &Weak<Inner>,
    family: &Family,
    to: &dyn AsyncInstrument<T>,
    number: impl Fn(&Number) -> Option<T>,
) {
    let Some(inner) = host.upgrade() else {
        return;
    };
    let mut samples = Samples::default();
    (family.read)(&View::new(&inner), &mut samples);
    for (values, read) in samples.0 {
        let labels = family.labels.iter().zip(values);
        let labels: Vec<_> = labels
            .map(|(name, value)| KeyValue::new(*name, value))
            .collect();
        if let Some(number) = number(&read) {
            to.observe(number, &labels);
        }
    }
}

impl Family {
    /// `dogpile_stored_bytes` is `dogpile.stored`, in the unit `By`: what Prometheus makes of that is our name again.
    fn dotted_name(&self) -> String {
        let name = self.name.trim_end_matches("_total");
        let name = name.trim_end_matches("_seconds").trim_end_matches("_bytes");
        name.replacen('_', ".", 1)
    }

    fn unit(&self) -> &'static str {
        match self.name.rsplit('_').next() {
            Some("seconds") => "s",
            Some("bytes") => "By",
            _ => "",
        }
    }
}
