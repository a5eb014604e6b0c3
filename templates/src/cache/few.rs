use std::iter;
use std::sync::OnceLock;

/// Things of which there are few, and none is ever removed: whoever looks for one takes no lock, and gets the thing itself.
#[derive(Debug)]
pub(super) struct Few<T>(OnceLock<Box<Link<T>>>);

#[derive(Debug)]
struct Link<T> {
    item: T,
    others: Few<T>,
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(OnceLock::new())
    }
}

impl<T> Few<T> {
    /// In the order in which they came.
    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        let links = iter::successors(self.0.get(), |link| link.others.0.get());
        links.map(|link| &link.item)
    }

    /// The first that `is_it`; without, what `make` makes, which must be one. None if there are `most` already.
    pub(super) fn get_or_add<E>(
        &self,
        most: usize,
        is_it: impl Fn(&T) -> bool,
        make: impl Fn() -> Result<T, E>,
    ) -> Result<Option<&T>, E> {
        let (mut place, mut known) = (self, 0);
        loop {
            while let Some(link) = place.0.get() {
                if is_it(&link.item) {
                    return Ok(Some(&link.item));
                }
                (place, known) = (&link.others, known + 1);
            }
            if known >= most {
                return Ok(None);
            }
            // Another may be first here, with this one or another.
            let link = Link {
                item: make()?,
                others: Self::default(),
            };
            let _ = place.0.set(Box::new(link));
        }
    }
}
