//! Blocks: delivered, redelivered, cancelled.
