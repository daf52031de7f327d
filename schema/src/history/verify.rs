//! Verifies an exported history from its bytes. The lines of a block are read and hashed by several threads; what links
//! events to each other is checked in order.

use std::{
    io::{self, BufRead, BufReader, Read},
    thread,
};

use super::{
    FORMAT_1, Verdict,
    event_line::{self, EventLine, LineFault},
    format_1,
    links::Links,
};

/// Bytes read at once, for all threads; a longer line is read whole.
const BLOCK: usize = 4 << 20;
/// Fewer lines are not worth a thread.
const LINES: usize = 1_000;
/// How every event begins.
const EVENT: &[u8] = b"{\"position\":";

/// A line, as far as it can be checked without the others.
pub(super) enum CheckedLine<'a> {
    Event(EventLine<'a>),
    Fault(LineFault),
    /// A seal, the trailer, or what does not belong there.
    Other(&'a [u8]),
}

/// Verifies a file of either format, on all cores.
///
/// # Errors
/// When the file cannot be read. That it is damaged is a verdict.
pub fn verify(input: impl Read) -> io::Result<Verdict> {
    verify_by(input, thread::available_parallelism().map_or(1, Into::into))
}

/// The same on so many threads.
pub fn verify_by(input: impl Read, threads: usize) -> io::Result<Verdict> {
    let mut input = BufReader::new(input);
    let mut first = Vec::new();
    input.read_until(b'\n', &mut first)?;
    let title = first.strip_suffix(b"\n").unwrap_or(&first);
    if let Ok(text) = std::str::from_utf8(title)
        && text.contains(FORMAT_1)
    {
        return format_1::verify(text, input);
    }
    let mut links = match Links::begin(title) {
        Ok(links) => links,
        Err(verdict) => return Ok(*verdict),
    };
    let mut block: Vec<u8> = Vec::new();
    while !links.is_broken() {
        let read = input.by_ref().take(BLOCK as u64).read_to_end(&mut block)?;
        let whole = match read {
            // A last line without a line break is not a line.
            0 => block.len(),
            _ => block.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1),
        };
        check_block(&block[..whole], threads, &mut links);
        block.drain(..whole);
        if read == 0 {
            break;
        }
    }
    Ok(links.end())
}

fn check_block(block: &[u8], threads: usize, links: &mut Links) {
    let lines: Vec<&[u8]> = block.split_inclusive(|byte| *byte == b'\n').collect();
    let share = lines.len().div_ceil(threads.max(1)).max(LINES);
    let checked: Vec<Vec<CheckedLine<'_>>> = if lines.len() <= share {
        vec![check_lines(&lines)]
    } else {
        thread::scope(|scope| {
            let parts: Vec<_> = lines.chunks(share).map(|part| scope.spawn(|| check_lines(part))).collect();
            // A panic of a thread is a bug here, and is not answered as a verdict.
            parts.into_iter().map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
        })
    };
    for line in checked.iter().flatten() {
        links.follow(line);
    }
}

fn check_lines<'a>(lines: &[&'a [u8]]) -> Vec<CheckedLine<'a>> {
    let mut scratch = Vec::with_capacity(512);
    let checked = lines.iter().map(|line| match line.strip_suffix(b"\n") {
        Some(event) if event.starts_with(EVENT) => match event_line::read(event, &mut scratch) {
            Ok(event) => CheckedLine::Event(event),
            Err(fault) => CheckedLine::Fault(fault),
        },
        Some(other) => CheckedLine::Other(other),
        None => CheckedLine::Fault(LineFault::Form("a line break")),
    });
    checked.collect()
}
