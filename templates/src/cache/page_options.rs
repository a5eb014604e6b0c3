use dogpile::Expiration;

/// What a page says of its fragments.
#[derive(Clone, Debug, Default)]
pub(crate) struct PageOptions {
    pub(crate) region: Option<String>,
    pub(crate) expiration_time: Option<Expiration>,
    /// Mako's `cache_enabled = False`.
    pub(crate) off: bool,
    /// Whether fragments may be rendered on other threads.
    #[cfg(feature = "tera")]
    pub(crate) background: bool,
}
