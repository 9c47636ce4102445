//! SIGINT, SIGTERM and SIGHUP end training after the current step, with a checkpoint; a second one ends it at once.

use crate::error::{Error, Result};
use crate::report::progress::{self, LogFormat};
use crate::report::tell;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// What comes this soon after the first signal is the same wish told twice, as `timeout` tells the process and then its group.
const SAME: Duration = Duration::from_millis(500);

/// What signals leave behind.
#[derive(Clone)]
pub(super) struct Stop {
    /// Set by the first signal; the next ends the program at once.
    pub(super) flag: Arc<AtomicBool>,
    code: Arc<AtomicU8>,
    /// When the first signal came.
    first: Arc<OnceLock<Instant>>,
    /// Whether there are steps to stop after; before and after that there is nothing to save.
    training: Arc<AtomicBool>,
    log_format: LogFormat,
}

impl Stop {
    /// Takes the signals over. To be called while the program has one thread: those that start later inherit that
    /// signals go to the one that waits for them.
    ///
    /// # Errors
    /// The system refuses.
    pub(super) fn on_signal(log_format: LogFormat) -> Result<Self> {
        let stop = Self {
            flag: Arc::default(),
            code: Arc::default(),
            first: Arc::default(),
            training: Arc::default(),
            log_format,
        };
        stop.listen().map_err(|error| Error::run(format!("signals cannot be handled: {error}")))?;
        Ok(stop)
    }

    /// 128 + the signal, as shells have it.
    pub(super) fn exit_code(&self) -> u8 {
        self.code.load(Ordering::SeqCst)
    }

    /// From here on, or up to here, a signal waits for the end of a step; otherwise it ends the program at once.
    pub(super) fn set_training(&self, training: bool) {
        self.training.store(training, Ordering::SeqCst);
    }

    fn arrived(&self, code: u8) {
        if !self.training.load(Ordering::SeqCst) {
            std::process::exit(i32::from(code));
        }
        if self.first.get_or_init(Instant::now).elapsed() < SAME && self.flag.load(Ordering::SeqCst) {
            return;
        }
        self.code.store(code, Ordering::SeqCst);
        if self.flag.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(code));
        }
        let text = "stopping after this step; a second signal stops at once";
        match self.log_format {
            LogFormat::Json => tell(progress::warning_line(text)),
            LogFormat::Auto | LogFormat::Plain => tell(text),
        }
    }

    #[cfg(unix)]
    fn listen(&self) -> nix::Result<()> {
        use nix::sys::signal::{SigSet, Signal};
        // What whoever started the program has it ignore stays ignored, as under nohup: blocked signals would arrive.
        let all = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter();
        let signals = SigSet::from_iter(all.filter(|&signal| !is_ignored(signal)));
        signals.thread_block()?;
        let stop = self.clone();
        std::thread::spawn(move || {
            while let Ok(signal) = signals.wait() {
                stop.arrived(u8::try_from(128 + signal as i32).unwrap_or(u8::MAX));
            }
        });
        Ok(())
    }

    #[cfg(not(unix))]
    fn listen(&self) -> std::result::Result<(), ctrlc::Error> {
        let stop = self.clone();
        ctrlc::set_handler(move || stop.arrived(130))
    }
}

/// Whether this process ignores a signal.
#[cfg(unix)]
fn is_ignored(signal: nix::sys::signal::Signal) -> bool {
    use nix::libc;
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: without a new action the call changes nothing, and it fills in the present one where it returns 0.
    unsafe {
        libc::sigaction(signal as libc::c_int, std::ptr::null(), action.as_mut_ptr()) == 0
            && action.assume_init().sa_sigaction == libc::SIG_IGN
    }
}
