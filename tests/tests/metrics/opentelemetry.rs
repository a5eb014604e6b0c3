//! OpenTelemetry observes what Prometheus reads.

use std::collections::BTreeMap;

use dogpile::{Host, RegionConfig};
use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_sdk::metrics::data::{
    AggregatedMetrics, Metric, MetricData, ResourceMetrics, ScopeMetrics,
};
use opentelemetry_sdk::metrics::{InMemoryMetricExporter, SdkMeterProvider};

use crate::exposition::samples;

/// Numbers by their names, as Prometheus has them, and their labels.
type Numbers = BTreeMap<(String, Vec<(String, String)>), f64>;

/// What Prometheus makes of a name.
fn name(metric: &Metric, is_sum: bool) -> String {
    let base = metric.name().replace('.', "_");
    // These two have another name there.
    if let Some(base) = base.strip_suffix("_sum").or(base.strip_suffix("_count")) {
        let end = &metric.name()[base.len() + 1..];
        return format!("{base}_seconds_{end}");
    }
    let unit = match metric.unit() {
        "s" => "_seconds",
        "By" => "_bytes",
        "" => "",
        unit => panic!("{unit}"),
    };
    let total = if is_sum { "_total" } else { "" };
    format!("{base}{unit}{total}")
}

fn labels<'a>(attributes: impl Iterator<Item = &'a KeyValue>) -> Vec<(String, String)> {
    let pairs = attributes.map(|of| (of.key.to_string(), of.value.to_string()));
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort();
    pairs
}

fn add<T: Copy>(numbers: &mut Numbers, metric: &Metric, data: &MetricData<T>, real: fn(T) -> f64) {
    match data {
        MetricData::Gauge(gauge) => {
            for point in gauge.data_points() {
                let key = (name(metric, false), labels(point.attributes()));
                numbers.insert(key, real(point.value()));
            }
        }
        MetricData::Sum(sum) => {
            assert!(sum.is_monotonic());
            for point in sum.data_points() {
                let key = (name(metric, true), labels(point.attributes()));
                numbers.insert(key, real(point.value()));
            }
        }
        _ => panic!("{} is observed as something else", metric.name()),
    }
}

fn observed(exporter: &InMemoryMetricExporter) -> Numbers {
    let mut numbers = Numbers::new();
    let finished = exporter.get_finished_metrics().unwrap();
    let scopes = finished.iter().flat_map(ResourceMetrics::scope_metrics);
    for metric in scopes.flat_map(ScopeMetrics::metrics) {
        match metric.data() {
            #[expect(clippy::cast_precision_loss, reason = "they are small")]
            AggregatedMetrics::U64(data) => add(&mut numbers, metric, data, |number| number as f64),
            AggregatedMetrics::F64(data) => add(&mut numbers, metric, data, |number| number),
            AggregatedMetrics::I64(_) => panic!("{}", metric.name()),
        }
    }
    numbers
}

#[test]
fn opentelemetry_observes_the_numbers_that_prometheus_reads() {
    let config = RegionConfig::on("users", "memory");
    let host = Host::builder()
        .plugin(dogpile_plugin_memory::plugin())
        .region(config);
    let host = host.build().unwrap();
    let exporter = InMemoryMetricExporter::default();
    let provider = SdkMeterProvider::builder()
        .with_periodic_exporter(exporter.clone())
        .build();
    host.observe_with(&provider.meter("dogpile"));
    let users = host.region("users").unwrap();
    for key in ["a", "b", "a"] {
        users.get_or_create(key, || 1).unwrap();
    }
    users
        .try_get_or_create("c", || Err::<i32, _>("no"))
        .unwrap_err();
    let read = |text: String| -> Numbers {
        let samples = samples(&text).into_iter();
        let samples = samples.filter(|sample| !sample.name.ends_with("_bucket"));
        let key = |sample: crate::exposition::Sample| {
            (
                (sample.name, sample.labels.into_iter().collect()),
                sample.number,
            )
        };
        samples.map(key).collect()
    };
    provider.force_flush().unwrap();
    let (observed_now, told) = (observed(&exporter), read(host.metrics_text()));
    assert_eq!(observed_now, told);
    let labels = vec![("region".to_owned(), "users".to_owned())];
    assert_eq!(
        told[&("dogpile_hits_total".to_owned(), labels)].to_string(),
        "1"
    );

    // Once the last handle is gone, nothing is observed, and nothing goes wrong.
    drop((host, users));
    exporter.reset();
    provider.force_flush().unwrap();
    assert_eq!(observed(&exporter), Numbers::new());
}
