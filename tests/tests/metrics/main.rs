//! The metrics as they are read: by Prometheus with the board and the alerts, by OpenTelemetry, and in their page.
#![forbid(unsafe_code)]

mod alerts;
mod board;
mod exposition;
mod live;
mod opentelemetry;
mod page;
mod queries;
mod served;
mod trouble;
