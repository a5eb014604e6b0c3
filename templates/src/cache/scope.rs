use std::cell::RefCell;

use super::page_options::PageOptions;
#[cfg(feature = "tera")]
use crate::views::ViewError;

/// How deep fragments may render others, by components or macros that lead back to them.
#[cfg(feature = "tera")]
pub(crate) const MAX_DEPTH: usize = 32;

thread_local! {
    /// The renders that go on on this thread, the innermost last: a filter may render another page.
    static SCOPES: RefCell<Vec<State>> = const { RefCell::new(Vec::new()) };
}

struct State {
    options: PageOptions,
    #[cfg(feature = "tera")]
    depth: usize,
    /// What has ended the render, where the engine would only know that a call failed.
    #[cfg(feature = "tera")]
    fault: Option<ViewError>,
}

/// One render on this thread, until it is dropped.
pub(crate) struct Scope(());

impl Scope {
    pub(crate) fn enter(options: PageOptions) -> Self {
        Self::open(State {
            options,
            #[cfg(feature = "tera")]
            depth: 0,
            #[cfg(feature = "tera")]
            fault: None,
        })
    }

    /// Of a fragment that so many are around.
    #[cfg(feature = "tera")]
    pub(crate) fn enter_at(options: PageOptions, depth: usize) -> Self {
        Self::open(State {
            options,
            depth,
            fault: None,
        })
    }

    fn open(state: State) -> Self {
        SCOPES.with_borrow_mut(|scopes| scopes.push(state));
        Self(())
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        SCOPES.with_borrow_mut(Vec::pop);
    }
}

fn with<T>(look: impl FnOnce(&mut State) -> T) -> Option<T> {
    SCOPES.with_borrow_mut(|scopes| scopes.last_mut().map(look))
}

/// What the page that is being rendered says.
pub(crate) fn options() -> PageOptions {
    with(|state| state.options.clone()).unwrap_or_default()
}

/// How many fragments are around what is being rendered.
#[cfg(feature = "tera")]
pub(crate) fn depth() -> usize {
    with(|state| state.depth).unwrap_or_default()
}

/// What has ended a render, if a fragment did: the engine knows only that a call failed.
#[cfg(feature = "tera")]
pub(crate) fn take_fault() -> Option<ViewError> {
    with(|state| state.fault.take()).flatten()
}

/// Remembers what ends the render.
#[cfg(feature = "tera")]
pub(crate) fn fail(error: ViewError) {
    with(|state| state.fault = Some(error));
}

/// A fragment that is being rendered, until it is dropped; none if there are too many within each other.
#[cfg(feature = "tera")]
pub(crate) struct Level(());

#[cfg(feature = "tera")]
impl Level {
    pub(crate) fn enter() -> Option<Self> {
        let depth = with(|state| {
            state.depth += 1;
            state.depth
        });
        let level = Self(());
        depth
            .is_none_or(|depth| depth <= MAX_DEPTH)
            .then_some(level)
    }
}

#[cfg(feature = "tera")]
impl Drop for Level {
    fn drop(&mut self) {
        with(|state| state.depth -= 1);
    }
}
