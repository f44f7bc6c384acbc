//! Times as clients write them.

/// `-12.5` seconds as nanoseconds; digits beyond the ninth are dropped.
pub fn decimal_seconds(text: &str) -> Option<i64> {
    let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let numeric = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !numeric(whole) || !numeric(fraction) {
        return None;
    }
    let nanos: i128 = format!("{fraction:0<9.9}").parse().ok()?;
    let total = whole.parse::<i128>().ok()?.checked_mul(1_000_000_000)?.checked_add(nanos)?;
    i64::try_from(if negative { -total } else { total }).ok()
}
