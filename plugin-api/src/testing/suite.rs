use super::fixture::{Case, Fixture, OwnCase};
use super::{backend, ends, instances, keys, leases, multi, mutex, serializer, threads};

/// A group of cases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Suite {
    /// What every backend must do: store, find, replace and remove, one by one and many at once, from many threads, and
    /// whatever the keys look like.
    Backend,
    /// Values come back bit for bit as they were stored.
    Serializer,
    /// What a backend's mutex must do, and what is stored under it. All cases are "not supported" where there is none.
    Mutex,
}

/// A case as it is run.
#[derive(Clone, Copy)]
pub(super) struct Listed {
    pub(super) suite: Suite,
    pub(super) name: &'static str,
    pub(super) look: Look,
    /// Whether it waits for time to pass, so that it may do so beside others.
    pub(super) waits: bool,
}

#[derive(Clone, Copy)]
pub(super) enum Look {
    At(fn(&Fixture) -> super::fixture::Ended),
    Own(fn(Fixture) -> super::fixture::Ended),
}

impl Suite {
    /// All there are, in the order in which they run.
    pub const ALL: [Self; 3] = [Self::Backend, Self::Serializer, Self::Mutex];

    /// As reports name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Backend => "backend",
            Self::Serializer => "serializer",
            Self::Mutex => "mutex",
        }
    }

    /// The names of its cases, in the order in which reports have them. They do not change; there may be new ones.
    pub fn case_names(self) -> Vec<&'static str> {
        self.cases().iter().map(|case| case.name).collect()
    }

    pub(super) fn cases(self) -> Vec<Listed> {
        let (quick, own, waiting): (&[&[Case]], &[OwnCase], &[Case]) = match self {
            Self::Backend => (
                &[
                    backend::CASES,
                    multi::CASES,
                    keys::CASES,
                    instances::CASES,
                    threads::CASES,
                ],
                instances::OWN_CASES,
                ends::CASES,
            ),
            Self::Serializer => (&[serializer::CASES], &[], &[]),
            Self::Mutex => (&[mutex::CASES], &[], leases::CASES),
        };
        let listed = |name, look, waits| Listed {
            suite: self,
            name,
            look,
            waits,
        };
        let quick = quick.iter().copied().flatten();
        let quick = quick.map(|(name, look)| listed(name, Look::At(*look), false));
        let own = own
            .iter()
            .map(|(name, look)| listed(name, Look::Own(*look), false));
        let waiting = waiting
            .iter()
            .map(|(name, look)| listed(name, Look::At(*look), true));
        quick.chain(own).chain(waiting).collect()
    }
}
