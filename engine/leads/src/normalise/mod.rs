//! One cell at a time: the text of a file or provider to the form in which leads keep, compare and use it.

pub mod address;
pub mod amount;
pub mod email;
pub mod name;
pub mod phone;
pub mod postcode;
pub mod text;
pub mod title;
