//! Default methods of traits, and other methods whose owner is not their module's type.

use dogpile::{FunctionCall, PythonKeys, Region, cached, cached_multi};

use crate::counter::Counter;

mod one {
    use super::{Region, cached, cached_multi};

    pub(super) trait Load {
        fn region(&self) -> &Region;

        #[cached(region = self.region(), clone)]
        fn load(&self, id: u32) -> String {
            format!("one {id}")
        }

        #[cached_multi(region = self.region(), clone)]
        fn all(&self, ids: &[u32]) -> Vec<String> {
            ids.iter().map(|id| format!("one {id}")).collect()
        }
    }
}

mod other {
    use super::{Region, cached, cached_multi};

    pub(super) trait Load<T> {
        fn region(&self) -> &Region;
        fn name(&self) -> T;

        #[cached(region = self.region(), clone)]
        fn load(&self, id: u32) -> String
        where
            T: std::fmt::Display,
        {
            format!("{} {id}", self.name())
        }

        #[cached_multi(region = self.region(), clone)]
        fn all(&self, ids: &[u32]) -> Vec<String>
        where
            T: std::fmt::Display,
        {
            ids.iter()
                .map(|id| format!("{} {id}", self.name()))
                .collect()
        }
    }
}

impl one::Load for Counter {
    fn region(&self) -> &Region {
        &self.users
    }
}

impl other::Load<&'static str> for Counter {
    fn region(&self) -> &Region {
        &self.users
    }

    fn name(&self) -> &'static str {
        "text"
    }
}

impl other::Load<char> for Counter {
    fn region(&self) -> &Region {
        &self.users
    }

    fn name(&self) -> char {
        'c'
    }
}

/// A type of another module, whose own methods are named after it alone.
impl Counter {
    #[cached(region = &self.users, clone)]
    fn load(&self, id: u32) -> String {
        format!("own {id}")
    }
}

#[test]
fn default_methods_of_several_traits_share_nothing() {
    let (counter, _) = Counter::new();
    for _ in 0..2 {
        assert_eq!(counter.load(1), "own 1");
        assert_eq!(one::Load::load(&counter, 1), "one 1");
        assert_eq!(other::Load::<&'static str>::load(&counter, 1), "text 1");
        assert_eq!(other::Load::<char>::load(&counter, 1), "c 1");
        assert_eq!(one::Load::all(&counter, &[1]), ["one 1"]);
        assert_eq!(other::Load::<&'static str>::all(&counter, &[1]), ["text 1"]);
        assert_eq!(other::Load::<char>::all(&counter, &[1]), ["c 1"]);
    }
}

#[test]
fn the_key_of_a_default_method_names_type_and_trait() {
    let (counter, _) = Counter::new();
    let own = "decorator::counter::Counter";
    assert_eq!(counter.load_key(1).unwrap(), format!("{own}::load(1)"));
    assert_eq!(
        one::Load::load_key(&counter, 1).unwrap(),
        format!("<{own} as decorator::traits::one::Load>::load(1)")
    );
    assert_eq!(
        other::Load::<char>::all_keys(&counter, &[1]).unwrap(),
        [format!(
            "<{own} as decorator::traits::other::Load<char>>::all(1)"
        )]
    );
}

#[test]
fn a_generator_of_the_program_sees_the_trait_and_pythons_does_not() {
    let (counter, _) = Counter::new();
    counter
        .users
        .set_function_key_generator(|call: &FunctionCall<'_>| {
            Ok(call.self_type().unwrap_or("none").to_owned())
        });
    assert_eq!(
        one::Load::load_key(&counter, 1).unwrap(),
        "<decorator::counter::Counter as decorator::traits::one::Load>"
    );
    counter
        .users
        .set_function_key_generator(PythonKeys::function());
    assert_eq!(
        one::Load::load_key(&counter, 1).unwrap(),
        "decorator.traits.one:load|1"
    );
}
