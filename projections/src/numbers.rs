//! Numbers as the API shows them: rates with one decimal, durations, dollars beside integer micro-dollars.

use luci_schema::Micros;
use time::OffsetDateTime;

/// 834 tenths are 83.4.
pub(crate) fn tenths(n: u64) -> f64 {
    f64::from(u32::try_from(n).unwrap_or(u32::MAX)) / 10.0
}

/// `part` of `whole` in percent with one decimal; 0 when `whole` is 0.
pub(crate) fn percent(part: u64, whole: u64) -> f64 {
    tenths((part * 1000 + whole / 2).checked_div(whole).unwrap_or(0))
}

/// Milliseconds from the start to the end, or to now while there is no end.
pub(crate) fn duration_ms(
    started: Option<OffsetDateTime>,
    ended: Option<OffsetDateTime>,
    now: OffsetDateTime,
) -> Option<i64> {
    let took = ended.unwrap_or(now) - started?;
    Some(i64::try_from(took.whole_milliseconds()).unwrap_or(i64::MAX).max(0))
}

/// 1,234 ms are 1.2 s.
pub(crate) fn seconds(ms: i64) -> f64 {
    let tenths = (ms + 50) / 100;
    f64::from(i32::try_from(tenths).unwrap_or(i32::MAX)) / 10.0
}

/// 1,250,000 micro-dollars are 1.25.
#[allow(clippy::cast_precision_loss)]
pub(crate) fn dollars(micros: u64) -> f64 {
    micros as f64 / 1e6
}

pub(crate) fn now() -> OffsetDateTime {
    Micros::now().date_time()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_rounded_once() {
        assert_eq!((percent(1, 3), percent(2, 3), percent(0, 0)), (33.3, 66.7, 0.0));
        assert_eq!((seconds(1_234), seconds(49), seconds(50)), (1.2, 0.0, 0.1));
        assert_eq!(dollars(1_250_000), 1.25);
    }
}
