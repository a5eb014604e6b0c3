//! Lifetimes that a type leaves to the compiler, which has none of its own where the type stands in `impl Trait`.

use syn::{GenericArgument, Lifetime, PathArguments, Type, TypeReference};

/// The type with `lifetime` where it leaves one out or writes `'_`; `None` if it does nowhere.
pub(crate) fn named(ty: &Type, lifetime: &Lifetime) -> Option<Type> {
    let mut named = ty.clone();
    name(&mut named, lifetime).then_some(named)
}

/// Whether there was any.
fn name(ty: &mut Type, lifetime: &Lifetime) -> bool {
    let mut found = false;
    match ty {
        Type::Reference(TypeReference {
            lifetime: own,
            elem,
            ..
        }) => {
            if own.as_ref().is_none_or(is_left_out) {
                *own = Some(lifetime.clone());
                found = true;
            }
            found |= name(elem, lifetime);
        }
        Type::Path(path) => {
            for segment in &mut path.path.segments {
                if let PathArguments::AngleBracketed(bracketed) = &mut segment.arguments {
                    for argument in &mut bracketed.args {
                        found |= name_argument(argument, lifetime);
                    }
                }
            }
        }
        Type::Tuple(tuple) => {
            for ty in &mut tuple.elems {
                found |= name(ty, lifetime);
            }
        }
        Type::Slice(slice) => found = name(&mut slice.elem, lifetime),
        Type::Array(array) => found = name(&mut array.elem, lifetime),
        Type::Group(group) => found = name(&mut group.elem, lifetime),
        Type::Paren(paren) => found = name(&mut paren.elem, lifetime),
        _ => {}
    }
    found
}

fn name_argument(argument: &mut GenericArgument, lifetime: &Lifetime) -> bool {
    match argument {
        GenericArgument::Lifetime(own) if is_left_out(own) => {
            *own = lifetime.clone();
            true
        }
        GenericArgument::Type(ty) => name(ty, lifetime),
        _ => false,
    }
}

fn is_left_out(lifetime: &Lifetime) -> bool {
    lifetime.ident == "_"
}

#[cfg(test)]
mod tests {
    use quote::ToTokens;
    use syn::parse_quote;

    use super::*;

    #[test]
    fn each_lifetime_that_is_left_out_gets_the_name_and_no_other() {
        let lifetime: Lifetime = parse_quote!('key);
        let cases: [(Type, Option<Type>); 8] = [
            (parse_quote!(&str), Some(parse_quote!(&'key str))),
            (parse_quote!(&'_ str), Some(parse_quote!(&'key str))),
            (parse_quote!(&'a str), None),
            (parse_quote!(u64), None),
            (
                parse_quote!((u8, &str, &'a str)),
                Some(parse_quote!((u8, &'key str, &'a str))),
            ),
            (
                parse_quote!(Cow<'_, str>),
                Some(parse_quote!(Cow<'key, str>)),
            ),
            (
                parse_quote!(Pair<&str, [&&'a u8; 2]>),
                Some(parse_quote!(Pair<&'key str, [&'key &'a u8; 2]>)),
            ),
            (parse_quote!(fn(&str) -> u8), None),
        ];
        for (ty, expected) in cases {
            let found = named(&ty, &lifetime).map(|ty| ty.to_token_stream().to_string());
            assert_eq!(found, expected.map(|ty| ty.to_token_stream().to_string()));
        }
    }
}
