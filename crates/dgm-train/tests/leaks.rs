//! What a step leaves in memory, to the byte: nothing. The allocator of this test counts.
#![cfg(feature = "flex")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use dgm_train::backend::Backend;
use dgm_train::config::{Config, ModelConfig};
use dgm_train::report::progress::{Report, RunStart, WindowMeans};
use dgm_train::run::{Run, Watch};
use dgm_train::run_folder::RunFolder;
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// The system's allocator, with the bytes in use.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise about `layout`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promise about `pointer` and `layout`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The bytes in use at the end of each window of steps.
#[derive(Clone, Default)]
struct Readings(Arc<Mutex<Vec<usize>>>);

impl Report for Readings {
    fn begin(&mut self, _: &RunStart<'_>) {
        self.0.lock().unwrap().reserve(1000);
    }

    fn train(&mut self, _: &WindowMeans<'_>) {
        self.0.lock().unwrap().push(IN_USE.load(Ordering::Relaxed));
    }

    fn validation(&mut self, _: u64, _: Option<f64>, _: bool) {}
    fn warn(&mut self, _: &str) {}
    fn end(&mut self, _: &str) {}
}

impl Watch for Readings {
    fn report(&mut self, _: &RunFolder) -> Box<dyn Report> {
        Box::new(self.clone())
    }
}

/// One test, so that no other allocates beside it.
#[test]
fn a_step_leaves_nothing_in_memory() {
    let folder = tempfile::tempdir().unwrap();
    let kinds = [
        ("vae", "[model.encoder]\nkind = \"mlp\"\nhidden = [32]", 1500),
        ("pixel_cnn", "channels = 4\nlayers = 2", 600),
        ("transformer", "channels = 8\nlayers = 2\nheads = 2", 600),
    ];
    for (kind, keys, steps) in kinds {
        let text = format!(
            "[data]\nsource = \"digits\"\n[model]\nkind = \"{kind}\"\n{keys}\n[training]\nepochs = {}\n\
             batch_size = 16\nreport_every = 10\nevaluate_every = 3\nema_decay = 0.9\n[evaluation]\nimportance_samples = 0\n",
            steps / 63 + 1,
        );
        let config: Config<ModelConfig> = Config::from_toml(&text, "leaks.toml", &[]).unwrap();
        let mut run = Run::create(config, Backend::open("flex").unwrap(), &folder.path().join(kind)).unwrap();
        let mut readings = Readings::default();
        run.train(&mut readings, &AtomicBool::new(false)).unwrap().unwrap();
        let readings = readings.0.lock().unwrap();
        let late = &readings[readings.len() / 2..];
        // What a step leaves shows in every window; a queue of the pool that takes a new block, in few.
        let grew = late.windows(2).filter(|pair| pair[0] < pair[1]).count();
        println!("{kind}: {} bytes in use, more than before after {grew} of {} windows", late[0], late.len());
        let (half, last) = (late[0], late[late.len() - 2]);
        assert!(
            last.abs_diff(half) < 64 * 1024,
            "{kind}: {half} bytes in use after half of the steps, {last} at the end"
        );
        assert!(grew <= late.len() / 4, "{kind}: memory in use grows: {late:?}");
    }
}
