//! What a cached body uses and its key does not name: [`expression`] finds the variables of an expression, [`scopes`] what
//! a body has set itself, [`components`] what those look up where they are called, [`uses`] what a body and all that it
//! includes takes from around it, and [`unnamed`] holds that against the key.
//!
//! It follows names as the engine does, and not values: of a variable that was set outside of the body it does not ask
//! from what.

mod components;
mod expression;
mod scopes;
mod unnamed;
mod uses;

pub(crate) use self::unnamed::{Given, unnamed};
