//! Which of the attributes of a function go where.

use syn::Attribute;

/// The attributes of a function, by what they are about.
pub(crate) struct Attributes {
    /// About all that is written for the function: conditions and lint levels.
    pub(crate) everywhere: Vec<Attribute>,
    /// About what callers see.
    pub(crate) outside: Vec<Attribute>,
    /// About the function's own body, such as other attribute macros: as with Python's decorators, those below act on
    /// what is cached.
    pub(crate) inside: Vec<Attribute>,
}

impl Attributes {
    pub(crate) fn of(attributes: Vec<Attribute>) -> Self {
        let (everywhere, rest) = attributes.into_iter().partition(|attribute| {
            is_one_of(
                attribute,
                &["cfg", "cfg_attr", "allow", "warn", "deny", "forbid"],
            )
        });
        let (outside, inside) = Vec::into_iter(rest)
            .partition(|attribute| is_one_of(attribute, &["doc", "must_use", "deprecated"]));
        Self {
            everywhere,
            outside,
            inside,
        }
    }

    /// Whether there is anything at all.
    pub(crate) fn conditions(&self) -> impl Iterator<Item = &Attribute> {
        let attributes = self.everywhere.iter();
        attributes.filter(|attribute| is_one_of(attribute, &["cfg", "cfg_attr"]))
    }
}

fn is_one_of(attribute: &Attribute, names: &[&str]) -> bool {
    names.iter().any(|name| attribute.path().is_ident(name))
}
