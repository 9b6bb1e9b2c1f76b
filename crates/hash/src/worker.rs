//! What a hash thread does: take a piece of every ready stream, write them, hash them side by side, repeat.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::cell::{Next, Turn, Work};
use crate::error::HashError;
use crate::kernel::{Engine, Job};
use crate::pool::Pool;
use crate::sink::Sink;
use crate::state::Running;

/// What a worker takes in all, so that what the sinks have just read is still in its cache for the hash.
const TURN_BYTES: usize = 1 << 20;
/// Bounds for a single piece: enough to be worth a write, not so much that others wait long.
const LEAST_PIECE: usize = 64 << 10;
const MOST_PIECE: usize = 256 << 10;

/// Works until the pool is closed and empty.
pub(crate) fn run(pool: &Pool, engine: Engine) {
    while let Some(cells) = pool.take(engine.lanes()) {
        let most = (TURN_BYTES / cells.len().max(1)).clamp(LEAST_PIECE, MOST_PIECE);
        let turns = cells.into_iter().filter_map(|cell| cell.begin_turn(most));
        let mut turns: Vec<Turn> = turns.filter_map(write).collect();
        hash(engine, &mut turns);
        for turn in turns {
            match turn.end() {
                Next::Rest => {}
                Next::Again(cell) => pool.push(cell),
                Next::Complete(work) => complete(work),
                Next::Discard(mut work) => drop(release(&mut work)),
            }
        }
    }
}

/// Gives the piece to the sink. `None` when that ended the stream.
fn write(mut turn: Turn) -> Option<Turn> {
    let Some(sink) = turn.work.sink.as_mut().filter(|_| !turn.piece.is_empty()) else {
        return Some(turn);
    };
    let piece = &turn.piece;
    let written =
        catch_unwind(AssertUnwindSafe(|| sink.write(piece))).unwrap_or_else(|panic| Err(described(panic)));
    match written {
        Ok(()) => Some(turn),
        Err(error) => {
            let mut work = turn.fail();
            // The first error is the one to report.
            let _ = release(&mut work);
            work.fail(HashError::Sink(error));
            None
        }
    }
}

fn hash(engine: Engine, turns: &mut [Turn]) {
    let mut jobs: Vec<Job<'_>> = Vec::with_capacity(turns.len());
    for turn in turns {
        match &mut turn.work.hash.0 {
            Running::Sha256(hash) => jobs.push(hash.absorb(&turn.piece)),
            Running::Sha512(hash) => hash.update(&turn.piece),
        }
    }
    engine.run(&mut jobs);
}

fn complete(mut work: Box<Work>) {
    match release(&mut work) {
        Ok(()) => work.complete(),
        Err(error) => work.fail(HashError::Sink(error)),
    }
}

/// Drops the sink, which must not take the thread with it.
fn release(work: &mut Work) -> io::Result<()> {
    let sink: Option<Box<dyn Sink>> = work.sink.take();
    catch_unwind(AssertUnwindSafe(|| drop(sink))).map_err(described)
}

#[allow(clippy::needless_pass_by_value)] // The shape that `catch_unwind` gives.
fn described(panic: Box<dyn Any + Send>) -> io::Error {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    io::Error::other(format!("the sink panicked: {text}"))
}
