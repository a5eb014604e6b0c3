//! Keeping what a run prints.

use super::bytes::Bytes;
use super::record::{Chunk, LIMIT, Stream};

/// Chunks in the order in which they came, until they are more than the limit.
#[derive(Default)]
pub(super) struct Recorder {
    chunks: Vec<Chunk>,
    length: usize,
}

impl Recorder {
    /// Takes more of a stream. What is more than the limit in all is not kept: [`Recorder::is_full`].
    pub(super) fn take(&mut self, stream: Stream, bytes: &[u8]) {
        self.length = self.length.saturating_add(bytes.len());
        if self.is_full() {
            return;
        }
        match self.chunks.last_mut() {
            Some(last) if last.stream == stream => last.bytes.0.extend_from_slice(bytes),
            _ => self.chunks.push(Chunk {
                stream,
                bytes: Bytes(bytes.to_vec()),
            }),
        }
    }

    /// Whether more came than is kept.
    pub(super) fn is_full(&self) -> bool {
        self.length > LIMIT
    }

    /// What was kept, which is taken out.
    pub(super) fn give(&mut self) -> Vec<Chunk> {
        std::mem::take(&mut self.chunks)
    }

    /// All that came, if it is no more than the limit.
    pub(super) fn whole(mut self) -> Option<Vec<Chunk>> {
        (!self.is_full()).then(|| self.give())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_together_of_one_stream_is_one_chunk() {
        let mut recorder = Recorder::default();
        for (stream, text) in [
            (Stream::Out, "a"),
            (Stream::Out, "b"),
            (Stream::Err, "c"),
            (Stream::Out, "d"),
        ] {
            recorder.take(stream, text.as_bytes());
        }
        let chunks = recorder.whole().unwrap();
        let told: Vec<_> = chunks
            .iter()
            .map(|chunk| (chunk.stream, &chunk.bytes.0[..]))
            .collect();
        assert_eq!(
            told,
            [
                (Stream::Out, &b"ab"[..]),
                (Stream::Err, b"c"),
                (Stream::Out, b"d")
            ]
        );
    }

    #[test]
    fn what_is_more_than_the_limit_is_not_whole() {
        let mut recorder = Recorder::default();
        recorder.take(Stream::Out, &vec![0; LIMIT]);
        assert!(!recorder.is_full());
        recorder.take(Stream::Err, b"x");
        assert!(recorder.is_full());
        assert_eq!(recorder.whole(), None);
    }
}
