//! MiniJinja 3: the function `cached` of a program's own environments, and pages made of their templates.
//!
//! From a template to a digest, a step a file: [`lexer`] cuts its tags, [`scan`] sees what it refers to and its
//! fragments, each a [`call`], [`plan`] follows that and makes digests, [`plans`] keeps them while the sources stay as
//! they are. [`view`] renders a page; [`function`] is a fragment's call, whose [`arguments`] say how it is cached, and
//! [`foreign`] finds what is not in its digest.

mod arguments;
mod call;
mod foreign;
mod function;
mod lexer;
mod not_stored;
mod plan;
mod plans;
mod scan;
mod view;
mod views;

pub use self::view::JinjaView;
pub use self::views::JinjaViews;
