use std::error::Error as StdError;
use std::sync::{Arc, Mutex, PoisonError};

use super::reused::Reused;
use super::{Part, Rendered};

impl Part<'_> {
    /// As [`get_or_create`](Self::get_or_create), with a `render` that may run on another thread: where the region has
    /// `background_refresh` (or `early_refresh`), and an expired text may be served, every caller has the old one at
    /// once, and `render` runs on a thread of the host's, once. A missing text is rendered by the caller.
    ///
    /// # Errors
    ///
    /// Those of `render` where it ran here; elsewhere they are logged by the host.
    pub fn get_or_create_background<E: StdError + Clone + Send + Sync + 'static>(
        self,
        render: impl FnOnce() -> Result<String, E> + Send + 'static,
    ) -> Result<Rendered, E> {
        let began = self.begin();
        let mut key = Reused::default();
        let place = self.place(&mut key);
        let once = Once(Arc::new(Mutex::new(Some(render))));
        let made = place.as_ref().map_err(|why| *why).and_then(|place| {
            let (tags, once) = (|| place.tags(&self), once.clone());
            let call = place.entry().bypass().tags_by(&tags);
            self.made(if place.anew {
                call.try_refresh(|| once.run())
            } else {
                call.background(move || once.run()).try_get_or_create()
            })
        });
        let made = made.unwrap_or_else(|outcome| Ok(Rendered::uncached(once.run()?, outcome)));
        self.end(began, place.ok().as_ref(), made)
    }

    /// As [`get_or_create`](Self::get_or_create), for tasks: whoever waits for a text awaits it, on every runtime. If
    /// the future of the caller that renders is dropped, the next one renders. Of many who want a missing text one polls
    /// what `render` gives; a `render` that takes long should leave the work to another thread, and wait for that.
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn get_or_create_async<E, F>(self, render: impl FnOnce() -> F) -> Result<Rendered, E>
    where
        E: StdError + Clone + Send + Sync + 'static,
        F: Future<Output = Result<String, E>>,
    {
        let began = self.begin();
        let mut key = Reused::default();
        let place = self.place(&mut key);
        let mut render = Some(render);
        let mut create = || match render.take() {
            Some(render) => render(),
            None => unreachable!("a creator is called once"),
        };
        let made = match &place {
            Ok(place) => {
                let tags = || place.tags(&self);
                let call = place.entry().bypass().tags_by(&tags);
                self.made(if place.anew {
                    call.try_refresh_async(&mut create).await
                } else {
                    call.try_get_or_create_async(&mut create).await
                })
            }
            Err(outcome) => Err(*outcome),
        };
        let made = match made {
            Ok(made) => made,
            Err(outcome) => (create().await).map(|text| Rendered::uncached(text, outcome)),
        };
        self.end(began, place.ok().as_ref(), made)
    }
}

/// Something to be done once, by one of several who have it.
struct Once<F>(Arc<Mutex<Option<F>>>);

impl<F> Clone for Once<F> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T, F: FnOnce() -> T> Once<F> {
    fn run(&self) -> T {
        let work = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match work {
            Some(work) => work(),
            None => unreachable!("a creator is called once"),
        }
    }
}
