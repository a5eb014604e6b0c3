//! As little as runs tasks: one thread, which sleeps while none is ready.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};

#[derive(Default)]
pub(crate) struct Executor<'a> {
    tasks: Vec<Option<Pin<Box<dyn Future<Output = ()> + 'a>>>>,
    ready: Arc<Ready>,
}

#[derive(Default)]
struct Ready {
    queue: Mutex<VecDeque<usize>>,
    news: Condvar,
}

struct Task {
    number: usize,
    ready: Arc<Ready>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        self.ready.queue.lock().unwrap().push_back(self.number);
        self.ready.news.notify_one();
    }
}

impl<'a> Executor<'a> {
    /// Gives the task's number.
    pub(crate) fn spawn(&mut self, future: impl Future<Output = ()> + 'a) -> usize {
        let number = self.tasks.len();
        self.tasks.push(Some(Box::pin(future)));
        self.ready.queue.lock().unwrap().push_back(number);
        number
    }

    pub(crate) fn cancel(&mut self, number: usize) {
        self.tasks[number] = None;
    }

    fn poll(&mut self, number: usize) {
        let ready = Arc::clone(&self.ready);
        let waker = Waker::from(Arc::new(Task { number, ready }));
        let task = &mut self.tasks[number];
        let done = |task: &mut Pin<Box<dyn Future<Output = ()> + 'a>>| {
            task.as_mut()
                .poll(&mut Context::from_waker(&waker))
                .is_ready()
        };
        if task.as_mut().is_some_and(done) {
            *task = None;
        }
    }

    /// Polls until no task is ready.
    pub(crate) fn run_what_is_ready(&mut self) {
        loop {
            let next = self.ready.queue.lock().unwrap().pop_front();
            let Some(number) = next else { return };
            self.poll(number);
        }
    }

    /// Polls until all tasks have ended.
    pub(crate) fn run(&mut self) {
        loop {
            self.run_what_is_ready();
            if self.tasks.iter().all(Option::is_none) {
                return;
            }
            let queue = self.ready.queue.lock().unwrap();
            let ready = self.ready.news.wait_while(queue, |queue| queue.is_empty());
            drop(ready.unwrap());
        }
    }
}

/// Runs one future.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut value = None;
    let mut executor = Executor::default();
    executor.spawn(async { value = Some(future.await) });
    executor.run();
    drop(executor);
    value.expect("it has ended")
}

/// Polls once.
pub(crate) fn poll<T>(future: Pin<&mut impl Future<Output = T>>, waker: &Waker) -> Poll<T> {
    future.poll(&mut Context::from_waker(waker))
}

/// Gives the other tasks a go.
pub(crate) async fn yield_now() {
    let mut yielded = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Ends when that holds, which is looked at again and again.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    while !holds() {
        yield_now().await;
    }
}

/// Both futures, in turn.
pub(crate) async fn both<S, T>(
    one: impl Future<Output = S>,
    other: impl Future<Output = T>,
) -> (S, T) {
    let (mut one, mut other) = (std::pin::pin!(one), std::pin::pin!(other));
    let (mut first, mut second) = (None, None);
    std::future::poll_fn(|context| {
        if first.is_none()
            && let Poll::Ready(value) = one.as_mut().poll(context)
        {
            first = Some(value);
        }
        if second.is_none()
            && let Poll::Ready(value) = other.as_mut().poll(context)
        {
            second = Some(value);
        }
        if first.is_some() && second.is_some() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })
    .await;
    (first.expect("it has ended"), second.expect("it has ended"))
}
