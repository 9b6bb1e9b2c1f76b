//! Where the bytes of a stream go while they are hashed.

/// Takes the bytes of one stream, in order, on the thread that hashes them.
///
/// Writing there costs no hop between threads, and the bytes are still in the cache when they are hashed. The
/// pieces are those given to [`HashStream::update`](crate::HashStream::update), large ones cut. A sink may block
/// (a positional write does); others wait for it, so it should not wait for anything but the disk.
///
/// A sink is dropped when its stream is finished, has failed or was dropped, always on a hash thread, and before
/// [`HashStream::finish`](crate::HashStream::finish) returns.
pub trait Sink: Send + 'static {
    /// Takes the next bytes. An error, like a panic, ends this stream and no other.
    ///
    /// # Errors
    /// Whatever keeps the bytes from being taken; the stream reports it as
    /// [`HashError::Sink`](crate::HashError::Sink).
    fn write(&mut self, chunk: &[u8]) -> std::io::Result<()>;
}
