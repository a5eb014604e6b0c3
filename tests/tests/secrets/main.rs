//! Secrets of a configuration are nowhere but where they are meant for: whatever a host, the command and its children,
//! and first-party plugins with real servers say is collected, and searched for them.
#![forbid(unsafe_code)]

mod case;
mod children;
mod outputs;
mod servers;
mod shapes;
