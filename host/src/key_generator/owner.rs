//! Whose a method is, from the compiler's names.

/// The type in whose `impl` block a method is, by the compiler's name; or, for a trait's default method, type and trait:
/// `<myapp::Users as myapp::Load>`.
///
/// No macro on a default method can see the trait, but the compiler has it in the names of the functions beside: that of
/// one is `path`. A form of it that is not known here is taken whole, so that two methods never share an owner because of
/// that.
pub fn owner(self_type: &'static str, path: &'static str) -> &'static str {
    let Some((owner, _)) = path.rsplit_once("::") else {
        return path;
    };
    // In an `impl` block it is the type, `<dyn Trait>`, or, in another module than that, `module::<impl Type>`.
    let in_brackets = owner.strip_suffix('>');
    let bracketed = in_brackets.and_then(|inner| inner.strip_suffix(self_type));
    if owner == self_type
        || bracketed.is_some_and(|before| before == "<" || before.ends_with("::<impl "))
    {
        self_type
    } else {
        owner
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_method_of_an_impl_block_is_its_types_and_any_other_its_traits() {
        for (self_type, path, expected) in [
            ("a::Users", "a::Users::site", "a::Users"),
            ("a::Of<'_, u8>", "a::Of<'_, u8>::site", "a::Of<'_, u8>"),
            ("a::Users", "b::<impl a::Users>::site", "a::Users"),
            ("dyn a::Load", "<dyn a::Load>::site", "dyn a::Load"),
            (
                "a::Users",
                "<a::Users as a::Load<u8>>::site",
                "<a::Users as a::Load<u8>>",
            ),
            (
                "a::Users",
                "<b::Of<a::Users> as Load<a::Users>>::site",
                "<b::Of<a::Users> as Load<a::Users>>",
            ),
            ("a::Users", "a::trait Load::site", "a::trait Load"),
            ("a::Users", "site", "site"),
        ] {
            assert_eq!(owner(self_type, path), expected);
        }
    }
}
