//! Today's date, for chat templates.

use std::fmt::Write as _;
use std::time::{Duration, UNIX_EPOCH};

const DAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Returns the present moment in UTC, in a `strftime` format of C, so that machines in different zones agree. `None`
/// where the format has anything but a date or a time of day.
pub(super) fn now(form: &str) -> Option<String> {
    // A clock before 1970 is not set: any date is as good.
    written(UNIX_EPOCH.elapsed().unwrap_or(Duration::ZERO).as_secs(), form)
}

/// Formats `seconds` after the start of 1970 in UTC, in a `strftime` format of C.
fn written(seconds: u64, form: &str) -> Option<String> {
    let (days, of_day) = (seconds / 86_400, seconds % 86_400);
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let (year, month, day) = civil(days);
    // The first of January 1970 was a Thursday.
    let (weekday, month_name) = (DAYS[((days + 3) % 7) as usize], MONTHS[month as usize - 1]);
    let mut out = String::new();
    let mut rest = form.chars();
    while let Some(c) = rest.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        // Writing into a string does not fail.
        let _ = match rest.next()? {
            'Y' => write!(out, "{year}"),
            'y' => write!(out, "{:02}", year % 100),
            'm' => write!(out, "{month:02}"),
            'd' => write!(out, "{day:02}"),
            'e' => write!(out, "{day:2}"),
            'B' => write!(out, "{month_name}"),
            'b' => write!(out, "{}", &month_name[..3]),
            'A' => write!(out, "{weekday}"),
            'a' => write!(out, "{}", &weekday[..3]),
            'F' => write!(out, "{year}-{month:02}-{day:02}"),
            'H' => write!(out, "{hour:02}"),
            'M' => write!(out, "{minute:02}"),
            'S' => write!(out, "{second:02}"),
            '%' => write!(out, "%"),
            _ => return None,
        };
    }
    Some(out)
}

/// Returns year, month from 1 and day from 1 of a day counted from the start of 1970 (Howard Hinnant's
/// `civil_from_days`).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_the_calendar() {
        let form = "%A %d %B %Y, %a %e %b %y, %F %H:%M:%S %%";
        assert_eq!(
            written(951_782_400, form).as_deref(),
            Some("Tuesday 29 February 2000, Tue 29 Feb 00, 2000-02-29 00:00:00 %")
        );
        assert_eq!(
            written(1_721_995_199, form).as_deref(),
            Some("Friday 26 July 2024, Fri 26 Jul 24, 2024-07-26 11:59:59 %")
        );
        assert_eq!(written(0, "%d %b %Y").as_deref(), Some("01 Jan 1970"));
        assert_eq!((written(0, "%Q"), written(0, "%")), (None, None));
    }
}
