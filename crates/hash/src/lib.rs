//! Hashing off the reactor threads, as fast as the machine can.
