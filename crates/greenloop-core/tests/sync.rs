//! The promises of the primitives, one fact at a time; `sync_model` compares them with
//! asyncio's own code.

#[expect(dead_code, reason = "other tests use the rest of the line")]
mod manual_line;

use std::rc::Rc;

use greenloop_core::sync::{
    Barrier, BarrierState, Broken, Condition, Event, Lock, NotAcquired, Notify, ReleasedTooOften,
    Semaphore,
};
use manual_line::{CannotWake, ManualLine, Standings};

type Outcome = Result<(), CannotWake>;

fn line() -> ManualLine {
    ManualLine::new(&Rc::new(Standings::default()))
}

#[test]
fn setting_an_event_wakes_all_even_if_it_is_cleared_before_they_run() -> Outcome {
    let event = Event::new(line());
    let waiters = [event.waiters.join(), event.waiters.join()];
    event.set()?;
    event.clear();
    assert_eq!(event.waiters.standings.woken(), waiters);
    assert!(!event.is_set());
    event.leave(&waiters[0]);
    assert_eq!(event.waiters.to_vec(), [waiters[1]]);
    Ok(())
}

#[test]
fn setting_an_event_that_is_set_wakes_nobody() -> Outcome {
    let event = Event::new(line());
    event.set_value(true);
    event.waiters.join();
    event.set()?;
    assert!(event.waiters.standings.woken().is_empty());
    Ok(())
}

#[test]
fn a_lock_is_not_taken_past_the_waiter_that_was_woken_for_it() -> Outcome {
    let lock = Lock::new(line());
    assert!(lock.try_acquire()?);
    let first = lock.waiters.join();
    assert_eq!(lock.release()?, Ok(()));
    assert!(!lock.is_locked());
    assert!(!lock.try_acquire()?);
    lock.take_over(&first);
    assert!(lock.is_locked());
    assert!(lock.waiters.to_vec().is_empty());
    Ok(())
}

#[test]
fn a_lock_is_taken_past_cancelled_waiters() -> Outcome {
    let lock = Lock::new(line());
    let gone = lock.waiters.join();
    lock.waiters.standings.cancel(gone);
    assert!(lock.try_acquire()?);
    Ok(())
}

#[test]
fn a_lock_that_nobody_holds_is_not_released() -> Outcome {
    let lock = Lock::new(line());
    assert_eq!(lock.release()?, Err(NotAcquired));
    Ok(())
}

#[test]
fn a_waiter_that_gives_up_passes_a_free_lock_on() -> Outcome {
    let lock = Lock::new(line());
    lock.set_locked(true);
    let waiters = [lock.waiters.join(), lock.waiters.join()];
    assert_eq!(lock.release()?, Ok(()));
    assert_eq!(lock.waiters.standings.woken(), [waiters[0]]);
    lock.give_up(&waiters[0])?;
    assert_eq!(lock.waiters.standings.woken(), waiters);
    Ok(())
}

#[test]
fn a_semaphore_counts_no_permit_that_somebody_woken_is_about_to_use() -> Outcome {
    let semaphore = Semaphore::<_, true>::new(0, line());
    let first = semaphore.waiters.join();
    semaphore.release()?;
    assert_eq!(semaphore.value(), 0);
    assert!(!semaphore.try_acquire()?);
    semaphore.take_over(&first)?;
    assert_eq!(semaphore.value(), 0);
    semaphore.release()?;
    assert!(semaphore.try_acquire()?);
    Ok(())
}

#[test]
fn a_permit_waits_for_earlier_waiters() -> Outcome {
    let semaphore = Semaphore::<_, true>::new(0, line());
    semaphore.waiters.join();
    semaphore.release()?;
    semaphore.release()?;
    assert_eq!(semaphore.value(), 1);
    assert!(semaphore.is_locked()?);
    Ok(())
}

/// The waiters woken when the first of four leaves a line for which there are three permits.
fn woken_in_turn<const WAKES_ALL: bool>() -> Result<usize, CannotWake> {
    let semaphore = Semaphore::<_, WAKES_ALL>::new(0, line());
    let first = semaphore.waiters.join();
    semaphore.release()?;
    semaphore.set_value(2);
    for _ in 0..3 {
        semaphore.waiters.join();
    }
    semaphore.take_over(&first)?;
    Ok(semaphore.waiters.standings.woken().len() - 1)
}

#[test]
fn a_waiter_wakes_as_many_as_the_value_allows_or_by_the_older_rule_one() -> Outcome {
    assert_eq!(woken_in_turn::<true>()?, 2);
    assert_eq!(woken_in_turn::<false>()?, 1);
    Ok(())
}

#[test]
fn a_semaphore_is_not_released_above_its_bound() -> Outcome {
    let semaphore = Semaphore::<_, true>::new(1, line());
    assert_eq!(semaphore.release_below(1)?, Err(ReleasedTooOften));
    semaphore.take();
    assert_eq!(semaphore.release_below(1)?, Ok(()));
    assert_eq!(semaphore.value(), 1);
    Ok(())
}

#[test]
fn the_value_of_a_semaphore_ends_where_numbers_end() -> Outcome {
    let semaphore = Semaphore::<_, true>::new(i64::MAX, line());
    semaphore.release()?;
    assert_eq!(semaphore.value(), i64::MAX);
    Ok(())
}

#[test]
fn waiting_for_a_condition_lets_go_of_its_lock() -> Outcome {
    let standings = Rc::new(Standings::default());
    let lock = Lock::new(ManualLine::new(&standings));
    let condition = Condition::<_, true>::new(ManualLine::new(&standings));
    let waiter = standings.waiter();
    assert_eq!(condition.begin(&lock, &waiter)?, Err(NotAcquired));
    assert!(condition.waiters.to_vec().is_empty());
    lock.set_locked(true);
    assert_eq!(condition.begin(&lock, &waiter)?, Ok(()));
    assert!(!lock.is_locked());
    condition.notify(1)?;
    assert_eq!(condition.waiters.to_vec(), [waiter]);
    assert!(condition.relock(&lock, &waiter)?);
    assert!(condition.waiters.to_vec().is_empty());
    assert!(lock.is_locked());
    assert!(!condition.relock(&lock, &waiter)?);
    Ok(())
}

#[test]
fn a_notification_whose_receiver_fails_goes_to_another_or_by_the_older_rule_is_lost() -> Outcome {
    let condition = Condition::<_, true>::new(line());
    let waiter = condition.waiters.join();
    condition.fail()?;
    assert_eq!(condition.waiters.standings.woken(), [waiter]);
    let condition = Condition::<_, false>::new(line());
    condition.waiters.join();
    condition.fail()?;
    assert!(condition.waiters.standings.woken().is_empty());
    Ok(())
}

#[test]
fn the_last_party_opens_a_barrier_and_the_last_to_leave_closes_it() {
    let barrier = Barrier::new(2);
    assert_eq!(barrier.admits(), Ok(true));
    assert_eq!(barrier.arrive(), (0, Notify(false)));
    assert_eq!((barrier.passes(), barrier.waiting()), (Ok(false), 1));
    assert_eq!(barrier.arrive(), (1, Notify(true)));
    assert_eq!(barrier.state(), BarrierState::Draining);
    assert_eq!((barrier.passes(), barrier.waiting()), (Ok(true), 0));
    assert_eq!(barrier.admits(), Ok(false));
    assert_eq!(barrier.depart(), Notify(false));
    assert_eq!(barrier.state(), BarrierState::Draining);
    assert_eq!(barrier.depart(), Notify(true));
    assert_eq!(
        (barrier.state(), barrier.count()),
        (BarrierState::Filling, 0)
    );
}

#[test]
fn a_reset_sends_those_inside_away_and_lets_nobody_in_until_they_are() {
    let barrier = Barrier::new(2);
    let _ = barrier.arrive();
    assert_eq!(barrier.reset(), Notify(true));
    assert_eq!(barrier.state(), BarrierState::Resetting);
    assert_eq!(
        (barrier.passes(), barrier.admits()),
        (Err(Broken), Ok(false))
    );
    assert_eq!(barrier.depart(), Notify(true));
    assert_eq!(barrier.state(), BarrierState::Filling);
}

#[test]
fn an_aborted_barrier_stays_broken_until_it_is_reset() {
    let barrier = Barrier::new(2);
    let _ = barrier.arrive();
    assert_eq!(barrier.abort(), Notify(true));
    assert_eq!(
        (barrier.passes(), barrier.admits()),
        (Err(Broken), Err(Broken))
    );
    assert_eq!(barrier.depart(), Notify(true));
    assert_eq!(barrier.state(), BarrierState::Broken);
    assert_eq!(barrier.reset(), Notify(true));
    assert_eq!(barrier.state(), BarrierState::Filling);
}
