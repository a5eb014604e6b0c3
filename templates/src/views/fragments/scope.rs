use std::cell::RefCell;

use dogpile::Expiration;

use crate::views::error::ViewError;

/// How deep fragments may render others, by components that lead back to them.
pub(super) const MAX_DEPTH: usize = 32;

thread_local! {
    /// The renders that go on on this thread, the innermost last: a filter may render another page.
    static SCOPES: RefCell<Vec<State>> = const { RefCell::new(Vec::new()) };
}

/// What a page says of its fragments.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageOptions {
    pub(crate) region: Option<String>,
    pub(crate) expiration_time: Option<Expiration>,
    /// Mako's `cache_enabled = False`.
    pub(crate) off: bool,
    /// Whether fragments may be rendered on other threads.
    pub(crate) background: bool,
}

#[derive(Default)]
struct State {
    options: PageOptions,
    depth: usize,
    /// What has ended the render, where the engine would only know that a call failed.
    fault: Option<ViewError>,
}

/// One render on this thread, until it is dropped.
pub(crate) struct Scope(());

impl Scope {
    pub(crate) fn enter(options: PageOptions) -> Self {
        Self::enter_at(options, 0)
    }

    /// Of a fragment that so many are around.
    pub(super) fn enter_at(options: PageOptions, depth: usize) -> Self {
        SCOPES.with_borrow_mut(|scopes| {
            scopes.push(State {
                options,
                depth,
                fault: None,
            });
        });
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
pub(super) fn options() -> PageOptions {
    with(|state| state.options.clone()).unwrap_or_default()
}

/// How many fragments are around what is being rendered.
pub(super) fn depth() -> usize {
    with(|state| state.depth).unwrap_or_default()
}

/// What has ended a render, if a fragment did: the engine knows only that a call failed.
pub(crate) fn take_fault() -> Option<ViewError> {
    with(|state| state.fault.take()).flatten()
}

/// Remembers what ends the render.
pub(super) fn fail(error: ViewError) {
    with(|state| state.fault = Some(error));
}

/// A fragment that is being rendered, until it is dropped; none if there are too many within each other.
pub(super) struct Level(());

impl Level {
    pub(super) fn enter() -> Option<Self> {
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

impl Drop for Level {
    fn drop(&mut self) {
        with(|state| state.depth -= 1);
    }
}
