//! Slots and timers.
