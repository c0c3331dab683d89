//! The methods that every wait list has on top of the five that it implements.

#[expect(dead_code, reason = "other tests use the rest of the line")]
mod manual_line;

use std::rc::Rc;

use greenloop_core::WaitList as _;
use manual_line::{CannotWake, ManualLine, Standings, Waiter};

fn line_of(waiters: usize) -> (ManualLine, Vec<Waiter>) {
    let line = ManualLine::new(&Rc::new(Standings::default()));
    let waiters = (0..waiters).map(|_| line.join()).collect();
    (line, waiters)
}

#[test]
fn waiters_stand_in_the_order_they_came() {
    let (line, waiters) = line_of(3);
    assert_eq!(line.to_vec(), waiters);
    assert_eq!(line.first(), Some(waiters[0]));
    assert_eq!(line.after(&waiters[0]), Some(waiters[1]));
    assert_eq!(line.after(&waiters[2]), None);
}

#[test]
fn a_waiter_leaves_from_any_place() {
    let (line, waiters) = line_of(3);
    assert!(line.remove(&waiters[1]));
    assert!(!line.remove(&waiters[1]));
    assert_eq!(line.to_vec(), [waiters[0], waiters[2]]);
    assert_eq!(line.after(&waiters[1]), None);
}

#[test]
fn popping_empties_the_line_from_the_front() {
    let (line, waiters) = line_of(2);
    assert!(!line.is_empty());
    assert_eq!(line.pop(), Some(waiters[0]));
    assert_eq!(line.pop(), Some(waiters[1]));
    assert_eq!(line.pop(), None);
    assert!(line.is_empty());
}

#[test]
fn an_empty_list_is_all_cancelled_and_one_with_a_live_waiter_is_not() -> Result<(), CannotWake> {
    let (line, waiters) = line_of(2);
    line.standings.cancel(waiters[0]);
    assert!(!line.all_cancelled()?);
    line.wake(&waiters[1])?;
    assert!(!line.all_cancelled()?);
    line.remove(&waiters[1]);
    assert!(line.all_cancelled()?);
    line.remove(&waiters[0]);
    assert!(line.all_cancelled()?);
    Ok(())
}

#[test]
fn waking_some_skips_woken_and_cancelled_waiters_and_keeps_all_in_line() -> Result<(), CannotWake> {
    let (line, waiters) = line_of(5);
    line.wake(&waiters[0])?;
    line.standings.cancel(waiters[2]);
    assert_eq!(line.wake_waiting(2)?, 2);
    assert_eq!(line.standings.woken(), [waiters[0], waiters[1], waiters[3]]);
    assert_eq!(line.to_vec(), waiters);
    assert_eq!(line.wake_waiting(usize::MAX)?, 1);
    assert_eq!(line.wake_waiting(usize::MAX)?, 0);
    Ok(())
}

#[test]
fn waking_none_wakes_nobody() -> Result<(), CannotWake> {
    let (line, _) = line_of(1);
    assert_eq!(line.wake_waiting(0)?, 0);
    assert!(line.standings.woken().is_empty());
    Ok(())
}

#[test]
fn those_behind_one_that_cannot_be_woken_are_not_woken() {
    let (line, waiters) = line_of(3);
    line.standings.make_unwakeable(waiters[1]);
    assert_eq!(line.wake_waiting(usize::MAX), Err(CannotWake(waiters[1])));
    assert_eq!(line.standings.woken(), [waiters[0]]);
}

#[test]
fn popping_and_waking_drops_the_cancelled_on_its_way() -> Result<(), CannotWake> {
    let (line, waiters) = line_of(4);
    line.standings.cancel(waiters[0]);
    line.wake(&waiters[1])?;
    assert!(line.pop_and_wake()?);
    assert_eq!(line.standings.woken(), [waiters[1], waiters[2]]);
    assert_eq!(line.to_vec(), [waiters[3]]);
    assert!(line.pop_and_wake()?);
    assert!(!line.pop_and_wake()?);
    Ok(())
}
