//! Questions to file systems, how full they are above all, asked so that one that does not answer holds up nobody.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// Questions that got no answer yet, from this and earlier probes; no more are asked beyond.
const MAX_WAITING: usize = 32;
/// So many are asked at once by one caller.
const AT_ONCE: usize = 16;

/// How full a file system is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Bytes in all.
    pub total: u64,
    /// Bytes that somebody without privileges may still write.
    pub available: u64,
}

/// Asks, and remembers whom it still waits for: a mount whose server is gone is not asked again before it answered.
#[derive(Debug, Clone, Default)]
pub struct Asker {
    /// Held by whoever asks: who waits beyond that really gets no answer.
    turn: Arc<Mutex<()>>,
    waiting: Arc<Mutex<HashSet<String>>>,
}

impl Asker {
    /// Asks about all mount points at once. The answers come in the same order after at most `limit`; why there is none is
    /// said in a few words. One caller at a time is served, the next waits for its turn.
    pub fn ask(&self, mount_points: &[&str], limit: Duration) -> Vec<Result<Usage, String>> {
        self.ask_with(mount_points, limit, usage_of)
    }

    /// As [`Asker::ask`], for any question. So many mount points as there may be, a few are asked at a time.
    pub fn ask_with<T, F>(&self, mount_points: &[&str], limit: Duration, ask: F) -> Vec<Result<T, String>>
    where
        T: Send + 'static,
        F: Fn(&str) -> Result<T, String> + Clone + Send + 'static,
    {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let until = Instant::now() + limit;
        let (tell, told) = mpsc::channel();
        let mut answers: Vec<Option<Result<T, String>>> = mount_points.iter().map(|_| None).collect();
        let mut open = 0;
        let hear = |answers: &mut Vec<Option<Result<T, String>>>, open: &mut usize, most: usize| {
            while *open > most {
                let left = until.saturating_duration_since(Instant::now());
                let Ok((at, answer)) = told.recv_timeout(left) else { return };
                answers[at] = Some(answer);
                *open -= 1;
            }
        };
        for (at, point) in mount_points.iter().enumerate() {
            hear(&mut answers, &mut open, AT_ONCE - 1);
            match self.ask_one((*point).to_owned(), at, ask.clone(), tell.clone()) {
                Ok(()) => open += 1,
                Err(why) => answers[at] = Some(Err(why)),
            }
        }
        hear(&mut answers, &mut open, 0);
        answers.into_iter().map(|one| one.unwrap_or_else(|| Err("it does not answer".to_owned()))).collect()
    }

    fn ask_one<T, F>(
        &self,
        point: String,
        at: usize,
        ask: F,
        tell: mpsc::Sender<(usize, Result<T, String>)>,
    ) -> Result<(), String>
    where
        T: Send + 'static,
        F: Fn(&str) -> Result<T, String> + Clone + Send + 'static,
    {
        {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            if waiting.contains(&point) {
                return Err("it has not answered an earlier question yet".to_owned());
            }
            if waiting.len() >= MAX_WAITING {
                return Err("too many others do not answer".to_owned());
            }
            waiting.insert(point.clone());
        }
        let waiting = Arc::clone(&self.waiting);
        let thread_point = point.clone();
        let question = move || {
            let answer = ask(&thread_point);
            waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&thread_point);
            // Nobody may listen any more.
            let _ = tell.send((at, answer));
        };
        if let Err(e) = thread::Builder::new().name("disk-usage".into()).spawn(question) {
            self.waiting.lock().unwrap_or_else(PoisonError::into_inner).remove(&point);
            return Err(e.to_string());
        }
        Ok(())
    }
}

fn usage_of(point: &str) -> Result<Usage, String> {
    let stat = rustix::fs::statvfs(Path::new(point)).map_err(|e| std::io::Error::from(e).to_string())?;
    Ok(Usage {
        total: stat.f_blocks.saturating_mul(stat.f_frsize),
        available: stat.f_bavail.saturating_mul(stat.f_frsize),
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

    use super::*;

    const LONG: Duration = Duration::from_secs(60);
    const A_USAGE: Usage = Usage { total: 2, available: 1 };

    #[test]
    fn a_real_file_system_answers_and_a_missing_folder_says_why_not() {
        let answers = Asker::default().ask(&["/", "/no/such/folder"], LONG);
        let root = answers[0].clone().unwrap();
        assert!(root.total > 0 && root.available <= root.total);
        assert!(answers[1].is_err());
    }

    #[test]
    fn one_that_hangs_holds_up_nobody_and_is_not_asked_again_before_it_answers() {
        let asker = Asker::default();
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let ask = move |point: &str| {
            if point == "/dead" {
                let _ = held.lock().unwrap().recv();
            }
            Ok(A_USAGE)
        };
        let silent = asker.ask_with(&["/dead"], Duration::from_millis(1), ask.clone());
        assert_eq!(silent[0], Err("it does not answer".into()));
        let answers = asker.ask_with(&["/dead", "/alive"], LONG, ask.clone());
        assert!(answers[0].as_ref().unwrap_err().contains("earlier"));
        assert_eq!(answers[1], Ok(A_USAGE));
        drop(release);
        while !asker.waiting.lock().unwrap().is_empty() {
            thread::yield_now();
        }
        assert_eq!(asker.ask_with(&["/dead"], LONG, ask)[0], Ok(A_USAGE));
    }

    #[test]
    fn however_many_there_are_each_that_answers_is_heard() {
        let points: Vec<String> = (0..200).map(|n| format!("/{n}")).collect();
        let points: Vec<&str> = points.iter().map(|point| &point[..]).collect();
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let ask = move |point: &str| {
            if point == "/3" {
                let _ = held.lock().unwrap().recv();
            }
            thread::sleep(Duration::from_millis(1));
            Ok(A_USAGE)
        };
        let answers = Asker::default().ask_with(&points, Duration::from_secs(3), ask);
        let silent: Vec<usize> = (0..points.len()).filter(|at| answers[*at].is_err()).collect();
        assert_eq!(silent, [3], "one that is silent takes a place from the others, and no more");
        drop(release);
    }

    #[test]
    fn two_who_ask_at_the_same_time_are_both_answered() {
        let asker = Asker::default();
        let ask = |_: &str| {
            thread::sleep(Duration::from_millis(20));
            Ok(A_USAGE)
        };
        thread::scope(|scope| {
            let asking: Vec<_> =
                (0..4).map(|_| scope.spawn(|| asker.ask_with(&["/alive"], LONG, ask))).collect();
            for answers in asking {
                assert_eq!(answers.join().unwrap(), [Ok(A_USAGE)]);
            }
        });
    }

    #[test]
    fn those_who_do_not_answer_are_bounded_in_number() {
        let asker = Asker::default();
        let (release, held) = mpsc::channel::<()>();
        let held = Arc::new(Mutex::new(held));
        let ask = move |_: &str| {
            let _ = held.lock().unwrap().recv();
            Ok(A_USAGE)
        };
        let points: Vec<String> = (0..MAX_WAITING + 5).map(|n| format!("/{n}")).collect();
        let points: Vec<&str> = points.iter().map(|point| &point[..]).collect();
        let answers = asker.ask_with(&points, Duration::ZERO, ask);
        let refused =
            answers.iter().filter(|answer| answer.as_ref().is_err_and(|why| why.contains("too many")));
        assert_eq!(refused.count(), 5);
        drop(release);
    }
}
