//! The backends `redis` and `valkey`, on servers that each test starts for itself.

#![forbid(unsafe_code)]

mod arguments;
mod certificates;
mod chaos;
mod clients;
mod cluster;
mod cluster_failover;
mod cluster_moves;
mod cluster_nodes;
mod clustered;
mod conformance;
mod crowds;
mod failover;
mod failures;
mod interop;
mod interop_watched;
mod locks;
mod manifest;
mod multiplexed;
mod outages;
mod owners;
mod peer;
mod processes;
mod proxy;
mod python_page;
mod python_shared;
mod replicas;
mod sentinels;
mod storing;
mod support;
#[expect(unreachable_pub, reason = "it is as the page shows it")]
mod users;
mod waking;
mod watched;
mod worker;
